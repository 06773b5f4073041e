"""A folder of images, `class/name.png|jpg|jpeg`: the folder's name is the class."""

import io
import warnings
from collections.abc import Iterator

from PIL import Image

from components.ingest.config import DataConfig
from components.ingest.examples import encode
from components.ingest.files import opened
from components.ingest.rows import BadRow, Row, label_fault


def read(source: str, config: DataConfig, root: str) -> Iterator[Row | BadRow]:
    """Yield the one example of an image file: its bytes unchanged, after a check that they decode.

    Args:
        source: URL of the file.
        config: the data's configuration.
        root: URL of the folder that holds the folders of the classes.
    """
    inside = source[len(root) :].strip("/").split("/") if source.startswith(root) else source.split("/")[-2:]
    if len(inside) != 2:
        yield BadRow(source, 1, "not in a folder of its class; the layout is class/name.png")
        return
    label = inside[0]
    if fault := label_fault(label, config.classes):
        yield BadRow(source, 1, fault)
        return
    with opened(source) as file:
        content = file.read()
    if fault := image_fault(content):
        yield BadRow(source, 1, fault)
        return
    yield Row(source, 1, label, encode({"image": content, config.label: label.encode()}))


def image_fault(content: bytes) -> str | None:
    """Return why these bytes are not a whole PNG or JPEG image; None if they are."""
    if not content:
        return "empty file"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Pillow only warns of files built to exhaust the memory
            with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as image:
                image.load()
    # Pillow's decoders raise a dozen types, SyntaxError and struct.error among them.
    except Exception as error:
        return f"not a whole PNG or JPEG image: {error}"
    return None
