"""IDX, the format of MNIST: a file of images and one of labels, gzipped or not; each image becomes a PNG."""

import io
import math
import re
import struct
from collections.abc import Iterator
from typing import IO

import numpy as np
from PIL import Image

from components.ingest.config import DataConfig
from components.ingest.examples import row as make_row
from components.ingest.files import opened
from components.ingest.rows import BadRow, DataError, Row, label_fault

UNSIGNED_BYTE = 0x08


def pairs(urls: list[str]) -> list[tuple[str, str]]:
    """Match image files (`…images…idx3…`) with label files (`…labels…idx1…`) by their names.

    Raises:
        DataError: an image file has no label file, or there are no image files.
    """
    labels = {_key(url): url for url in urls if "labels" in _name(url)}
    images = [url for url in urls if "images" in _name(url)]
    if not images:
        raise DataError(f"{urls[0]}: no file named like images-idx3-ubyte beside it; IDX is read in pairs")
    for url in images:
        if _key(url) not in labels:
            raise DataError(
                f"{url}: no label file; it must be named like the images, with 'labels' and 'idx1'"
            )
    return [(url, labels[_key(url)]) for url in images]


def read(source: str, labels: str, config: DataConfig) -> Iterator[Row | BadRow]:
    """Yield every image with its label; `classes` names the labels 0, 1, 2, …, else they are decimal strings.

    Args:
        source: URL of the image file, `[N, height, width]` or `[N, height, width, 3]`, uint8.
        labels: URL of the label file, `[N]`, uint8.
        config: the data's configuration.

    Raises:
        DataError: a file has no such header.
    """
    with opened(source) as image_file, opened(labels) as label_file:
        shape = _header(image_file, source, (3, 4))
        (count,) = _header(label_file, labels, (1,))
        if len(shape) == 4 and shape[3] not in (1, 3):
            raise DataError(f"{source}: {shape[3]} channels; images have 1 or 3")
        if 0 in shape:
            raise DataError(f"{source}: the file has no images: its shape is {list(shape)}")
        size = math.prod(shape[1:])
        both = min(shape[0], count)
        for row in range(1, both + 1):
            pixels, label = image_file.read(size), label_file.read(1)
            if len(pixels) < size or not label:
                cut = source if len(pixels) < size else labels
                yield BadRow(cut, row, f"cut off: the header promises {both} rows", both - row + 1)
                return
            yield _row(source, row, pixels, shape[1:], label[0], config)
        if shape[0] != count:
            more, less = (source, labels) if shape[0] > count else (labels, source)
            yield BadRow(
                more, both + 1, f"{max(shape[0], count)} rows, but {less} has {both}", abs(shape[0] - count)
            )


def _row(
    source: str, row: int, pixels: bytes, shape: tuple[int, ...], number: int, config: DataConfig
) -> Row | BadRow:
    names = config.classes or []
    label = names[number] if number < len(names) else str(number)
    if fault := label_fault(label, config.classes):
        return BadRow(source, row, fault)
    array = np.frombuffer(pixels, np.uint8).reshape(shape)
    png = io.BytesIO()
    Image.fromarray(array[..., 0] if shape[-1:] == (1,) and len(shape) == 3 else array).save(png, "PNG")
    return make_row(source, row, label, {"image": png.getvalue(), config.label: label.encode()})


def _header(file: IO[bytes], url: str, dimensions: tuple[int, ...]) -> tuple[int, ...]:
    magic = file.read(4)
    if not magic:
        raise DataError(f"{url}: the file is empty")
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] != UNSIGNED_BYTE or magic[3] not in dimensions:
        raise DataError(
            f"{url}: not an IDX file of unsigned bytes with {dimensions} dimensions: {magic.hex()}"
        )
    sizes = file.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise DataError(f"{url}: cut off inside the header")
    return struct.unpack(f">{magic[3]}I", sizes)


def _name(url: str) -> str:
    return url.rsplit("/", 1)[-1].lower()


def _key(url: str) -> str:
    return re.sub(r"\.gz$", "", re.sub(r"idx\d", "idx", re.sub("images|labels", "", _name(url))))
