"""Which encoding a text is in, as far as its bytes tell: for messages about one that is not in the configured one."""

import codecs

_MARKS = (  # UTF-32's begins with UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_KEY = "data.csv.encoding"


def codec_of(encoding: str, head: bytes) -> str:
    """Return the name of the codec that reads an encoding and drops its byte order mark.

    Args:
        encoding: as configured.
        head: how the file begins.
    """
    name = codecs.lookup(encoding).name
    if name == "utf-8":
        return "utf-8-sig"
    marked = any(head.startswith(mark) for mark, _ in _MARKS)
    return name[:6] if marked and name.startswith(("utf-16", "utf-32")) else name


def file_fault(head: bytes, encoding: str) -> str | None:
    """Return why a file that begins so is not in this encoding, and which one fits; None if it may be."""
    wide, found = codecs.lookup(encoding).name.startswith(("utf-16", "utf-32")), _wide(head)
    if found and not wide:
        return f"the file is not {encoding}; it begins as {found} does: set {_KEY}: {found}"
    if head and wide and not found and b"\0" not in head:
        return f"the file is not {encoding}: it has one byte for a letter. Leave {_KEY} out, or set another"
    return None


def text_fault(text: str, encoding: str) -> str:
    """Say that a text, decoded with `surrogateescape`, is not in this encoding, and how it reads in one that fits."""
    raw = text.encode(encoding, "surrogateescape")
    shown = text.encode("ascii", "backslashreplace").decode() if len(raw) > 40 else str(raw)[2:-1]
    for other in ("utf-8", "cp1252", "latin-1"):
        try:
            read = raw.decode(other)
        except UnicodeDecodeError:
            continue
        return f"{shown[:60]} is not {encoding}; in {other} it is {read[:40]!r}: if that is right, set {_KEY}: {other}"
    raise AssertionError("latin-1 has a letter for each byte")


def is_whole(text: str) -> bool:
    """Tell whether a text, decoded with `surrogateescape`, has no byte that is not in its encoding."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _wide(head: bytes) -> str | None:
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    half, high, low = len(head) // 2, head[::2].count(0), head[1::2].count(0)
    if low > half / 2 and not high:
        return "utf-16-le"
    return "utf-16-be" if high > half / 2 and not low else None
