"""The digests that identify a model: the SHA-256 of each of its files, and one over all of them."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

EXTRAS = "assets.extra"
"""The folder for a model's extra files (release.json, warm-up requests), which are not part of its digest."""


def file_digest(path: Path) -> str:
    """Return the SHA-256 of one file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_digests(directory: str | Path) -> dict[str, str]:
    """Return the SHA-256 of every file of a model by its relative POSIX path, sorted, without `assets.extra/`.

    Raises:
        NotADirectoryError: there is no such directory.
    """
    root = Path(directory)
    return {
        name: file_digest(path)
        for name, path in model_files(root).items()
        if not name.startswith(EXTRAS + "/")
    }


def model_files(directory: Path) -> dict[str, Path]:
    """Return every file below a directory by its relative POSIX path, sorted by that path.

    Raises:
        NotADirectoryError: there is no such directory.
    """
    if not directory.is_dir():
        raise NotADirectoryError(f"{directory} is not a directory; pass the one that holds the model's files")
    paths = {path.relative_to(directory).as_posix(): path for path in directory.rglob("*") if path.is_file()}
    return dict(sorted(paths.items()))


def model_digest(files: Mapping[str, str]) -> str:
    """Return the digest of a model: SHA-256, in hex, over its sorted relative paths and their SHA-256.

    Args:
        files: what `file_digests` returns.
    """
    # A path cannot contain NUL, nor a hex digest a newline, so no two models have the same text.
    text = "".join(f"{name}\0{files[name]}\n" for name in sorted(files))
    return hashlib.sha256(text.encode()).hexdigest()
