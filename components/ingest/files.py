"""Finding, opening and fingerprinting raw files with fsspec: local paths, `s3://`, `gs://`."""

import bz2
import contextlib
import gzip
import hashlib
import importlib
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

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


#: What a cluster's job leaves beside what it has finished.
_UNFINISHED = "_temporary"
#: What compressed files begin with.
_COMPRESSED: dict[bytes, Callable[[Any], Any]] = {
    rb"\x1f\x8b\x08": lambda file: gzip.GzipFile(fileobj=file),
    rb"BZh[1-9](1AY&SY|\x17rE8P\x90)": bz2.BZ2File,
    rb"\xfd7zXZ\0": lzma.LZMAFile,
}
_HEAD = 16


class Found(NamedTuple):
    """The files at a path, and those in its folder that are not read: hidden, or with names of another format."""

    files: list[str]
    skipped: list[str]


def resolve(url: str) -> tuple[Any, str]:
    """Return the file system of a URL, and the path on it.

    What has no scheme is a local path, whatever is in it: fsspec would take `::` for a chain of file systems.

    Raises:
        ValueError: the scheme is not known.
        ImportError: its package is not installed.
    """
    if "://" in url or url.startswith(("file:", "local:")):
        fs, path = fsspec.core.url_to_fs(url)
        return fs, str(path)
    fs = fsspec.filesystem("file")
    return fs, str(fs._strip_protocol(url))


def is_local(url: str) -> bool:
    """Tell whether the URL is a path on this machine's file system."""
    return "file" in _protocols(resolve(url)[0])


def absolute(path: str) -> str:
    """Return the URL in the form that `find` gives: a whole path, with the protocol if it is not local."""
    return _url(*resolve(path))


def find(path: str, kind: DataFormat) -> list[str]:
    """Return the sorted URLs of the files at `path`; see `look`."""
    return look(path, kind).files


def look(path: str, kind: DataFormat) -> Found:
    """Find the files at `path`: a file, a glob or a folder, in this order, so that what is called `[v2]` is found.

    In a folder and by a glob, files whose names begin with a dot are left out, and so are those in such folders; in a
    folder also files whose names are not those of the format.

    Raises:
        DataError: nothing is there, or it cannot be reached.
    """
    try:
        fs, root = resolve(path)
        fs.invalidate_cache()
        if fs.isfile(root):
            return Found([_url(fs, root)], [])
        top, wanted = root, IN_FOLDER[kind]
        if fs.isdir(root) or not any(c in root for c in "*?["):
            found = fs.find(root)
        else:
            top, pattern = _literal(fs, root)
            found = [p for p in fs.glob(pattern) if fs.isfile(p)]
            wanted = ""
    except (OSError, ValueError, ImportError) as error:
        raise DataError(f"{path}: cannot be read: {error}. Check the path and the credentials.") from error
    fits = re.compile(wanted, re.IGNORECASE)
    kept: list[str] = []
    skipped: list[str] = []
    for file in sorted(found):
        parts = file[len(top) :].strip("/").split("/")
        hidden = any(part.startswith(".") or (part == _UNFINISHED and kind != "images") for part in parts)
        (skipped if hidden or not fits.search(parts[-1]) else kept).append(_url(fs, file))
    if not kept:
        other = f" ({len(skipped)} of another name, such as {skipped[0]})" if skipped else ""
        quotes = (
            " YAML takes what follows a space and # for a comment: quote the path." if _cut(fs, root) else ""
        )
        raise DataError(
            f"{path}: no {kind} files there{other}. Check data.path (or data.splits) and data.format.{quotes}"
        )
    return Found(kept, skipped)


def _cut(fs: Any, root: str) -> bool:
    """Tell whether a path that is not there is the beginning of one that goes on with ` #`."""
    try:
        beside = fs.ls(root.rpartition("/")[0] or "/", detail=False)
    except (OSError, ValueError):
        return False
    return any(name.startswith(f"{root} #") for name in beside)


def _literal(fs: Any, path: str) -> tuple[str, str]:
    """Return the folder that a glob starts in, and the glob with that folder's own name escaped."""
    top, rest = path, ""
    while top and not (top != path and fs.isdir(top)):
        top, _, last = top.rpartition("/")
        rest = f"/{last}{rest}"
    return top, re.sub(r"([*?[])", r"[\1]", top) + rest if top else path


@contextlib.contextmanager
def opened(url: str) -> Iterator[IO[bytes]]:
    """Open a file for reading bytes, decompressed if its first bytes are those of gzip, bzip2 or xz.

    Raises:
        DataError: it cannot be read, or its compression is damaged, now or while it is read.
    """
    try:
        with contextlib.ExitStack() as stack:
            fs, path = resolve(url)
            file = stack.enter_context(fs.open(path, "rb"))
            head = file.read(_HEAD)
            try:
                file.seek(0)
            except (OSError, ValueError):  # a stream, as HTTP servers give it that know no ranges
                file = stack.enter_context(fs.open(path, "rb"))
            for magic, decompress in _COMPRESSED.items():
                if re.match(magic, head):
                    file = stack.enter_context(decompress(file))
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
    fs, root = resolve(config.path)
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
            fs, inner = resolve(url)
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
