"""What becomes of the bytes of an image."""

import io

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from PIL import Image

from components.preprocess.config import PreprocessConfig
from components.preprocess.image import preprocessing_fn


def encoded(array: npt.NDArray[np.uint8], kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind)
    return buffer.getvalue()


def decoded(*images: bytes, shape: tuple[int, int, int]) -> npt.NDArray[np.float32]:
    config = PreprocessConfig(module="image", inputs=("image",), image_shape=shape)
    pixels: npt.NDArray[np.float32] = preprocessing_fn(
        {"image": tf.constant(list(images), tf.string)}, config
    )["image"].numpy()
    return pixels


GREY = np.array([[0, 255], [51, 102]], np.uint8)


def test_pixels_become_shares_of_white() -> None:
    pixels = decoded(encoded(GREY), shape=(2, 2, 1))
    assert pixels.dtype == np.float32
    np.testing.assert_allclose(pixels[0, :, :, 0], [[0.0, 1.0], [0.2, 0.4]], atol=1e-6)


def test_images_of_any_size_are_resized_to_one() -> None:
    white = [encoded(np.full(size, 255, np.uint8)) for size in ((3, 5), (40, 7))]
    pixels = decoded(*white, shape=(4, 6, 1))
    assert pixels.shape == (2, 4, 6, 1)
    np.testing.assert_allclose(pixels, 1)


def test_colours_and_grey_are_brought_to_the_channels_asked_for() -> None:
    red = np.zeros((2, 2, 3), np.uint8)
    red[..., 0] = 255
    both = decoded(encoded(red), encoded(GREY), shape=(2, 2, 3))
    np.testing.assert_allclose(both[0, 0, 0], [1, 0, 0])
    np.testing.assert_allclose(both[1, 0, 1], [1, 1, 1])


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP"])
def test_every_format_that_is_named_is_decoded(kind: str) -> None:
    pixels = decoded(encoded(np.full((8, 8), 255, np.uint8), kind), shape=(8, 8, 3))
    np.testing.assert_allclose(pixels, 1, atol=0.01)


def test_no_images_give_an_empty_batch() -> None:
    assert decoded(shape=(8, 8, 1)).shape == (0, 8, 8, 1)


@pytest.mark.parametrize("content", [b"", b"no image", encoded(GREY)[:-30]])
def test_bytes_that_are_no_whole_image_are_refused(content: bytes) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError):
        decoded(content, shape=(2, 2, 1))
