"""Writing a sample so that nobody ever sees half of it."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def staged(path: str) -> Iterator[Path]:
    """Yield an empty folder to write into; it is renamed to `path` when the block ends without an error.

    What an earlier, killed attempt left is removed first.
    """
    target = Path(path)
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    yield partial
    partial.rename(target)
