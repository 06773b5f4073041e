"""The place that models are released to: a folder or an object store's bucket, with the same few operations.

Keys are relative POSIX paths. In both kinds, writes are atomic (a reader sees the old bytes or the new ones), and
`create` is exclusive (of two callers, one succeeds).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from serving.errors import UserError

OBJECT_SCHEMES = ("s3", "s3a", "gs", "gcs")


class BucketError(UserError, ValueError):
    """The bucket's URL is invalid; the message says why."""


@dataclass(frozen=True)
class FileInfo:
    """A file in a listing; `size` is in bytes, and `tag` changes whenever the contents do."""

    size: int
    tag: str


class Bucket(Protocol):
    """The operations that releases need."""

    url: str

    def listing(self, prefix: str) -> dict[str, FileInfo]:
        """List every file below a prefix, by path relative to it. Raise FileNotFoundError if there is none."""

    def read(self, key: str) -> bytes:
        """Read a file. Raise FileNotFoundError if it does not exist."""

    def write(self, key: str, data: bytes) -> None:
        """Replace a file's contents, atomically and durably."""

    def create(self, key: str, data: bytes) -> bool:
        """Write a new file; if it exists, write nothing and return False."""

    def upload(self, source: Path, key: str) -> None:
        """Copy a local file to the bucket."""

    def download(self, key: str, target: Path) -> None:
        """Copy a file to a local path."""

    def sha256(self, key: str) -> str:
        """Read a file back and return its digest."""

    def remove(self, keys: list[str]) -> None:
        """Delete files; one that does not exist is not an error."""
