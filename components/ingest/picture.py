"""Pictures as both decoders read them alike: TensorFlow's in the exported model, and Pillow in the server.

PNG and JPEG go on as they are, with any number of channels. What is stored otherwise without loss becomes PNG, and what
would lose something (colours of print, 16 bits, frames) is refused with the reason.
"""

import io
import re
import warnings
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from PIL import Image

_KINDS = {
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "JPEG": rb"\xff\xd8\xff",
    "GIF": rb"GIF8[79]a",
    "BMP": rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0",
    "WEBP": rb"RIFF....WEBP",
    "TIFF": rb"II\*\0|MM\0\*|II\+\0|MM\0\+",
    "HEIC or AVIF": rb"....ftyp(hei|hev|mif|msf|avi)",
    "JPEG 2000": rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51",
    "SVG": rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)?<svg",
}
_NAMES = re.compile(
    r"\.(png|apng|jpe?g|jpe|jfif|gif|bmp|dib|webp|tiff?|hei[cf]|avif|jp2|j2k|svg|ico|psd)$", re.IGNORECASE
)
_CONVERTED = ("GIF", "BMP", "WEBP")
#: Where a PNG says how many bits a channel has.
_PNG_DEPTH = 24


class PictureError(ValueError):
    """A picture cannot be used; the message is the reason, and what to do."""


class Picture(NamedTuple):
    """The bytes of a PNG or JPEG, and the format that they were converted from, "" if they are as they were."""

    content: bytes
    converted: str


def is_picture(name: str, content: bytes) -> bool:
    """Tell whether a file is a picture by its content, or is called as one."""
    return _kind(content) is not None or _NAMES.search(name) is not None


def read_picture(content: bytes) -> Picture:
    """Return the picture as both decoders read it alike.

    Raises:
        PictureError: it is damaged, or cannot be read without loss.
    """
    if not content:
        raise PictureError("empty file")
    kind = _kind(content)
    if kind not in ("PNG", "JPEG", *_CONVERTED):
        raise PictureError(f"{kind or 'not a picture'}: only PNG and JPEG are read; save it as PNG")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Pillow only warns of files built to exhaust the memory
            with Image.open(io.BytesIO(content), formats=(kind,)) as image:
                image.load()
                picture = _readable(image, kind, content)
        tf.io.decode_image(picture.content, expand_animations=False)
    except PictureError:
        raise
    # Pillow's decoders raise a dozen types, SyntaxError and struct.error among them.
    except Exception as error:
        why = getattr(error, "message", None) or str(error)
        raise PictureError(f"not a whole {kind} image: {why.splitlines()[0][:200]}") from error
    return picture


def _readable(image: Image.Image, kind: str, content: bytes) -> Picture:
    if getattr(image, "is_animated", False) and image.format != "MPO":
        raise PictureError(f"{kind} of {getattr(image, 'n_frames', 0)} frames: save each as a picture")
    if image.mode in ("CMYK", "YCCK"):
        raise PictureError(f"{kind} in CMYK, the colours of print: save it as RGB")
    if kind == "JPEG":
        return Picture(content, "")
    depth = content[_PNG_DEPTH] if kind == "PNG" else 8
    if depth == 8 and kind == "PNG":
        return Picture(content, "")
    if depth == 16:
        return Picture(_as_png(_halved(image)), "PNG of 16 bits")
    transparent = "A" in image.getbands() or "transparency" in image.info
    grey = image.mode in ("1", "L", "LA")
    whole = image.convert(("L" if grey else "RGB") + "A" * transparent)
    return Picture(_as_png(whole), kind if depth == 8 else f"PNG of {depth} bit{'s' * (depth > 1)}")


def _halved(image: Image.Image) -> Image.Image:
    """Return a grey image of 16 bits as one of 8, if it is one in truth."""
    pixels = np.asarray(image)
    if image.mode not in ("I;16", "I;16B", "I") or (pixels % 257).any():
        raise PictureError("PNG of 16 bits a channel: save it with 8, by the contrast that you want")
    return Image.fromarray((pixels // 257).astype(np.uint8))


def _as_png(image: Image.Image) -> bytes:
    made = io.BytesIO()
    image.save(made, "PNG")
    return made.getvalue()


def _kind(content: bytes) -> str | None:
    return next((kind for kind, magic in _KINDS.items() if re.match(magic, content[:1024], re.DOTALL)), None)
