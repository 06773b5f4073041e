"""Finding, opening and fingerprinting raw files with fsspec: local paths, `s3://`, `gs://`."""

import contextlib
import hashlib
import importlib
import lzma
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import fsspec

from components.ingest.config import DataConfig, DataFormat
from components.ingest.rows import DataError

# Names of the files that count in a folder; a file or a glob is taken as it is.
IN_FOLDER: dict[DataFormat, str] = {
    "csv": r"\.(csv|tsv|txt)(\.gz|\.bz2|\.xz)?$",
    "tfrecord": r"tfrecord",
    "images": r"",
    "idx": r"idx[1-4]",
}


def is_local(url: str) -> bool:
    """Tell whether the URL is a path on this machine's file system."""
    return "file" in _protocols(fsspec.core.url_to_fs(url)[0])


def absolute(path: str) -> str:
    """Return the URL in the form that `find` gives: a whole path, with the protocol if it is not local."""
    return _url(*fsspec.core.url_to_fs(path))


def find(path: str, kind: DataFormat) -> list[str]:
    """Return the sorted URLs of the files at `path` (a file, a glob or a folder).

    Hidden files and those whose names start with an underscore are left out, as are files in a folder whose
    names do not match the format.

    Raises:
        DataError: nothing is there, or it cannot be reached.
    """
    try:
        fs, root = fsspec.core.url_to_fs(path)
        fs.invalidate_cache()
        if "*" in path or "?" in path or "[" in path:
            found = [p for p in fs.glob(root) if fs.isfile(p)]
        elif fs.isfile(root):
            return [_url(fs, root)]
        else:
            wanted = re.compile(IN_FOLDER[kind], re.IGNORECASE)
            found = [p for p in fs.find(root) if wanted.search(p.rsplit("/", 1)[-1])]
    except (OSError, ValueError, ImportError) as error:
        raise DataError(f"{path}: cannot be read: {error}. Check the path and the credentials.") from error
    skip = len(root) if not any(c in path for c in "*?[") else 0
    kept = [p for p in found if not any(part[:1] in "._" for part in p[skip:].split("/") if part)]
    if not kept:
        raise DataError(f"{path}: no {kind} files there. Check data.path (or data.splits) and data.format.")
    return sorted(_url(fs, p) for p in kept)


@contextlib.contextmanager
def opened(url: str) -> Iterator[IO[bytes]]:
    """Open a file for reading bytes, decompressed by its extension (.gz, .bz2, .xz).

    Raises:
        DataError: it cannot be read, or its compression is damaged, now or while it is read.
    """
    try:
        with fsspec.open(url, "rb", compression="infer") as file:
            yield file
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise DataError(f"{url}: cannot be read to its end ({error}). Is it cut off or damaged?") from error


def ensure(config: DataConfig) -> None:
    """Call `data.make` to write the built-in sample if `data.path` does not exist yet.

    Raises:
        DataError: the function cannot be imported.
    """
    if config.make is None or config.path is None:
        return
    fs, root = fsspec.core.url_to_fs(config.path)
    if fs.exists(root):
        return
    module, function = config.make.split(":")
    try:
        write = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise DataError(f"data.make: {config.make} cannot be imported: {error}") from error
    write(config.path)


def fingerprint(config: DataConfig) -> str:
    """Return the SHA-256 (hex) of all files' names and contents, so that changed data is never mistaken for cached.

    Local files are read whole; for remote ones the store's own mark (`fs.ukey`: an ETag or the like) stands
    for the content.

    Raises:
        DataError: a split has no files.
    """
    digest = hashlib.sha256()
    for split, path in config.sources():
        for url in find(path, config.format):
            fs, inner = fsspec.core.url_to_fs(url)
            if is_local(url):
                with Path(inner).open("rb") as file:
                    mark = hashlib.file_digest(file, "sha256").hexdigest()
            else:
                mark = str(fs.ukey(inner))
            digest.update(f"{split}\0{url}\0{mark}\n".encode())
    return digest.hexdigest()


def _protocols(fs: Any) -> tuple[str, ...]:
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)


def _url(fs: Any, path: str) -> str:
    return path if "file" in _protocols(fs) else str(fs.unstrip_protocol(path))
