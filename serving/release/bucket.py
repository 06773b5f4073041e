"""Where models are released to: a folder, or a bucket of an object store, by the same few operations.

Keys are relative POSIX paths. Writes are atomic (a reader sees the old bytes or the new ones), and `create` is
exclusive (of two callers one wins), on every kind.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from serving.errors import UserError

OBJECT_SCHEMES = ("s3", "s3a", "gs", "gcs")


class BucketError(UserError, ValueError):
    """The bucket's URL cannot be used; the message says why."""


@dataclass(frozen=True)
class FileInfo:
    """A file of a listing; `size` in bytes, `tag` changes whenever its contents do."""

    size: int
    tag: str


class Bucket(Protocol):
    """The operations that releases need."""

    url: str

    def listing(self, prefix: str) -> dict[str, FileInfo]:
        """List every file below a prefix, by path relative to it. FileNotFoundError if there is none."""

    def read(self, key: str) -> bytes:
        """Read a file. FileNotFoundError if it is not there."""

    def write(self, key: str, data: bytes) -> None:
        """Replace a file's contents, atomically and durably."""

    def create(self, key: str, data: bytes) -> bool:
        """Write a new file; False, and nothing written, if it exists."""

    def upload(self, source: Path, key: str) -> None:
        """Copy a local file here."""

    def download(self, key: str, target: Path) -> None:
        """Copy a file to a local path."""

    def sha256(self, key: str) -> str:
        """Read a file back and digest it."""

    def remove(self, keys: list[str]) -> None:
        """Delete files; one that is already gone is no error."""
