"""Decodes images, by Pillow and numpy, pixel for pixel as TensorFlow does in the exported model."""

import io

import numpy as np
from PIL import Image, UnidentifiedImageError

from serving.errors import invalid
from serving.messages.dtypes import Array

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def decode(data: bytes, shape: tuple[int, int, int]) -> Array:
    """Decode a PNG, JPEG, GIF or BMP image to float32 [height, width, channels] in 0..1.

    Raises:
        ServingError: the bytes are not such an image.
    """
    height, width, channels = shape
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "GIF", "BMP")) as image:
            pixels = _pixels(image, channels).astype(np.float32)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise invalid(f"not an image that can be decoded: {error}") from error
    pixels = pixels.reshape(*pixels.shape[:2], channels)
    if pixels.shape[:2] != (height, width):
        pixels = _resize(pixels, height, width)
    return pixels / np.float32(255)


def _pixels(image: Image.Image, channels: int) -> Array:
    mode = _MODES[channels]
    if image.mode.startswith("I"):  # 16 bits, of which TensorFlow takes the upper 8
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if channels > 1 or image.mode in ("1", "L", "LA"):
        return np.asarray(image if image.mode == mode else image.convert(mode))
    if image.format in ("JPEG", "MPO"):
        image.draft("L", None)  # its own brightness, and not that of the colours
        return np.asarray(image.convert("L"))
    red, green, blue = np.moveaxis(np.asarray(image.convert("RGB"), np.uint32), -1, 0)
    grey: Array = (red * 9797 + green * 19234 + blue * 3737) >> 15  # as libpng weighs them
    return grey


def _resize(pixels: Array, height: int, width: int) -> Array:
    """Resize bilinearly, with half-pixel centers and without antialiasing, as tf.image.resize does by default."""
    rows, rows_next, down = _neighbours(pixels.shape[0], height)
    columns, columns_next, right = _neighbours(pixels.shape[1], width)
    right = right[None, :, None]
    top = pixels[rows][:, columns] * (1 - right) + pixels[rows][:, columns_next] * right
    bottom = pixels[rows_next][:, columns] * (1 - right) + pixels[rows_next][:, columns_next] * right
    down = down[:, None, None]
    result: Array = (top * (1 - down) + bottom * down).astype(np.float32)
    return result


def _neighbours(size: int, wanted: int) -> tuple[Array, Array, Array]:
    at = (np.arange(wanted, dtype=np.float32) + 0.5) * np.float32(size / wanted) - 0.5
    low = np.floor(at)
    first = np.clip(low, 0, size - 1).astype(np.int64)
    second = np.clip(low + 1, 0, size - 1).astype(np.int64)
    return first, second, at - low
