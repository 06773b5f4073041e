"""Writing a file so that whoever reads it finds the old content or the new, never a part of either."""

import uuid
from pathlib import Path


def write_atomically(path: str | Path, content: str | bytes) -> None:
    """Write a temporary file in the folder of `path`, and rename it to `path`.

    If that fails, `path` stays as it was and the temporary file is removed. Text is written as UTF-8.

    Args:
        path: the file to make or to replace; its folder is made if it is missing.
        content: the whole content of the file.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own, so that two writers at once do not write into each other's file.
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
    try:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
