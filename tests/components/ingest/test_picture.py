import io
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from components.ingest.picture import PictureError, is_picture, read_picture
from components.preprocess.config import PreprocessConfig
from components.preprocess.image import preprocessing_fn
from serving.engine.preprocessing.image import decode

HEIGHT, WIDTH = 24, 17
NOISE = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 4), dtype=np.uint8)
RGBA, RGB, GREY = (Image.fromarray(pixels) for pixels in (NOISE, NOISE[..., :3], NOISE[..., 0]))
LA = Image.merge("LA", [GREY, Image.fromarray(NOISE[..., 3])])
SMOOTH = Image.fromarray(
    np.add.outer(np.arange(HEIGHT) * 4, np.arange(WIDTH)[:, None] * 6 + [0, 20, 60])
    .clip(0, 255)
    .astype(np.uint8)
)
EIGHT_IN_16 = Image.fromarray(NOISE[..., 0].astype(np.uint16) * 257)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


#: Pictures by name, each with the one that its pixels are those of, and what it was converted from.
GOOD: dict[str, tuple[bytes, Image.Image | None, str]] = {
    "png rgb": (saved(RGB, "PNG"), RGB, ""),
    "png rgba": (saved(RGBA, "PNG"), RGBA, ""),
    "png grey": (saved(GREY, "PNG"), GREY, ""),
    "png grey alpha": (saved(LA, "PNG"), LA, ""),
    "png palette": (saved(RGB.convert("P"), "PNG"), RGB.convert("P").convert("RGB"), ""),
    "png transparent palette": (saved(RGB.convert("P"), "PNG", transparency=0), None, ""),
    "png one colour transparent": (saved(RGB, "PNG", transparency=(1, 2, 3)), None, ""),
    "png one grey transparent": (saved(GREY, "PNG", transparency=0), None, ""),
    "png 1 bit": (saved(RGB.convert("1"), "PNG"), RGB.convert("1").convert("L"), "PNG of 1 bit"),
    "png 4 bits": (saved(RGB.quantize(12), "PNG", bits=4), RGB.quantize(12).convert("RGB"), "PNG of 4 bits"),
    "png 8 in 16 bits": (saved(EIGHT_IN_16, "PNG"), GREY, "PNG of 16 bits"),
    "jpeg": (saved(RGB, "JPEG", quality=95), None, ""),
    "jpeg 4:2:0": (saved(SMOOTH, "JPEG"), None, ""),
    "jpeg 4:2:2": (saved(SMOOTH, "JPEG", subsampling=1), None, ""),
    "jpeg 4:4:4": (saved(SMOOTH, "JPEG", subsampling=0), None, ""),
    "jpeg progressive": (saved(RGB, "JPEG", progressive=True), None, ""),
    "jpeg grey": (saved(GREY, "JPEG"), None, ""),
    "jpeg of a 3D camera": (saved(RGB, "MPO", save_all=True, append_images=[SMOOTH]), None, ""),
    "jpeg and more": (saved(RGB, "JPEG") + b"more", None, ""),
    "gif": (saved(RGB.convert("P"), "GIF"), RGB.convert("P").convert("RGB"), "GIF"),
    "gif grey": (saved(GREY, "GIF"), GREY, "GIF"),
    "bmp": (saved(RGB, "BMP"), RGB, "BMP"),
    "bmp grey": (saved(GREY, "BMP"), GREY, "BMP"),
    "bmp 1 bit": (saved(RGB.convert("1"), "BMP"), RGB.convert("1").convert("L"), "BMP"),
    "webp": (saved(RGB, "WEBP"), None, "WEBP"),
    "webp lossless": (saved(RGBA, "WEBP", lossless=True, exact=True), RGBA, "WEBP"),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_is_accepted_has_the_same_pixels_for_the_model_and_the_server(name: str) -> None:
    content, pixels, converted = GOOD[name]
    picture = read_picture(content)
    assert picture.converted == converted
    assert converted or picture.content == content
    for channels in (1, 3, 4):
        shape = (HEIGHT, WIDTH, channels)
        config = PreprocessConfig(module="image", inputs=("image",), image_shape=shape)
        (ours,) = preprocessing_fn({"image": tf.constant([picture.content])}, config)["image"].numpy()
        np.testing.assert_array_equal(ours, decode(picture.content, shape))
        if pixels is not None and channels > 1:
            right = np.asarray(pixels.convert("RGB" if channels == 3 else "RGBA"), np.float32) / 255
            np.testing.assert_array_equal(ours, right)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"hello", "not a picture: only PNG and JPEG are read"),
        (saved(RGB, "TIFF"), "TIFF: only PNG and JPEG are read; save it as PNG"),
        (saved(RGB, "PNG")[:-40], "not a whole PNG image: "),
        (saved(RGB, "JPEG")[:-60], "not a whole JPEG image: "),
        (saved(RGB, "WEBP")[:-60], "not a whole WEBP image: "),
        (saved(RGB.convert("CMYK"), "JPEG"), "JPEG in CMYK, the colours of print: save it as RGB"),
        (saved(Image.fromarray(NOISE[..., 0].astype(np.uint16) * 200), "PNG"), "PNG of 16 bits a channel"),
        (saved(RGB, "GIF", save_all=True, append_images=[SMOOTH]), "GIF of 2 frames"),
        (saved(RGB, "PNG", save_all=True, append_images=[SMOOTH]), "PNG of 2 frames"),
    ],
)
def test_what_is_refused_says_why(content: bytes, reason: str) -> None:
    with pytest.raises(PictureError) as caught:
        read_picture(content)
    assert str(caught.value).startswith(reason)


def test_a_picture_is_one_by_its_content_or_its_name() -> None:
    assert is_picture("001", saved(RGB, "PNG"))
    assert is_picture("cut.JPEG", b"")
    assert is_picture("x", b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    for name, content in {
        "Thumbs.db": b"\xd0\xcf\x11\xe0",
        "notes.txt": b"BMW, and more",
        "png": b"",
    }.items():
        assert not is_picture(name, content)
