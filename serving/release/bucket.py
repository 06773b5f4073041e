"""Where models are released to: a folder, or a bucket of an object store, by the same few operations.

Keys are relative POSIX paths. Writes are atomic (a reader sees the old bytes or the new ones), and `create`
is exclusive (of two callers one wins), on every kind. S3 and GCS are reached by fsspec, with the credentials
and the endpoint that s3fs and gcsfs find in the environment.
"""

import errno
import hashlib
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

_NO_HARD_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)
OBJECT_SCHEMES = ("s3", "s3a", "gs", "gcs")


class BucketError(ValueError):
    """The bucket's URL cannot be used; the message says why."""


@dataclass(frozen=True)
class FileInfo:
    """A file of a listing; `tag` changes whenever its contents do."""

    size: int
    tag: str


class Bucket(Protocol):
    """The operations that releases need."""

    url: str

    def listing(self, prefix: str) -> dict[str, FileInfo]:
        """Every file below a prefix, by path relative to it. FileNotFoundError if there is none."""

    def read(self, key: str) -> bytes:
        """A file's bytes. FileNotFoundError if it is not there."""

    def write(self, key: str, data: bytes) -> None:
        """Replaces a file's contents, atomically and durably."""

    def create(self, key: str, data: bytes) -> bool:
        """Writes a new file; False, and nothing written, if it exists."""

    def upload(self, source: Path, key: str) -> None:
        """Copies a local file here."""

    def download(self, key: str, target: Path) -> None:
        """Copies a file to a local path."""

    def sha256(self, key: str) -> str:
        """Reads a file back and digests it."""

    def remove(self, keys: list[str]) -> None:
        """Deletes files; one that is gone already is no error."""


def open_bucket(url: "str | Path | Bucket") -> Bucket:
    """The bucket at a URL: a local path, `file://`, `s3://` or `gs://`.

    Raises:
        BucketError: for a URL of another kind, or one without a bucket's name.
    """
    if not isinstance(url, str | Path):
        return url
    text = str(url)
    scheme = urlsplit(text).scheme if "://" in text else ""
    if scheme in ("", "file"):
        path = text.removeprefix("file://")
        if not path:
            raise BucketError("the bucket is empty; give a folder or an s3:// or gs:// URL")
        return LocalBucket(Path(path).absolute())
    if scheme in OBJECT_SCHEMES:
        if not urlsplit(text).netloc:
            raise BucketError(f"bucket URL {text!r} names no bucket; write {scheme}://BUCKET/FOLDER")
        from serving.release.object_store import ObjectBucket  # late: fsspec is not needed for a folder

        return ObjectBucket(text)
    raise BucketError(
        f"bucket URL {text!r}: the scheme {scheme!r} is not known; use a local path, s3:// or gs://"
    )


class LocalBucket:
    """A folder of a file system."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.url = str(root)

    def listing(self, prefix: str) -> dict[str, FileInfo]:
        """See `Bucket`. A file that vanishes while the folder is walked is left out."""
        top = self.root / prefix
        if not top.is_dir():
            raise FileNotFoundError(f"{top}: no such folder")
        found: dict[str, FileInfo] = {}
        for folder, _, names in os.walk(top):
            for name in names:
                path = Path(folder, name)
                try:
                    status = path.stat()
                except FileNotFoundError:
                    continue
                found[path.relative_to(top).as_posix()] = FileInfo(status.st_size, str(status.st_mtime_ns))
        return found

    def read(self, key: str) -> bytes:
        """See `Bucket`."""
        return (self.root / key).read_bytes()

    def write(self, key: str, data: bytes) -> None:
        """See `Bucket`."""
        self._temporary(key, data).replace(self.root / key)
        sync_folder((self.root / key).parent)

    def create(self, key: str, data: bytes) -> bool:
        """See `Bucket`. The link makes the whole file appear at once, so no reader sees it empty."""
        temporary = self._temporary(key, data)
        try:
            (self.root / key).hardlink_to(temporary)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            return self._create_in_place(key, data)
        finally:
            temporary.unlink()
        sync_folder((self.root / key).parent)
        return True

    def upload(self, source: Path, key: str) -> None:
        """See `Bucket`."""
        target = self.root / key
        target.parent.mkdir(parents=True, exist_ok=True)
        with source.open("rb") as reader, target.open("wb") as writer:
            shutil.copyfileobj(reader, writer, 1 << 20)
            writer.flush()
            os.fsync(writer.fileno())

    def download(self, key: str, target: Path) -> None:
        """See `Bucket`."""
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.root / key, target)

    def sha256(self, key: str) -> str:
        """See `Bucket`."""
        with (self.root / key).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def remove(self, keys: list[str]) -> None:
        """See `Bucket`."""
        for key in keys:
            (self.root / key).unlink(missing_ok=True)

    def _create_in_place(self, key: str, data: bytes) -> bool:
        """The same where the file system knows no hard links: exclusive, but not atomic for readers."""
        try:
            with (self.root / key).open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except FileExistsError:
            return False
        return True

    def _temporary(self, key: str, data: bytes) -> Path:
        target = self.root / key
        target.parent.mkdir(parents=True, exist_ok=True)
        path = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
        with path.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        return path


def sync_folder(folder: Path) -> None:
    """Makes renames and new names in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
