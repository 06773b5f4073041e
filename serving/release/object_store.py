"""Buckets on S3 and GCS, by fsspec."""

import hashlib
from pathlib import Path

import fsspec

from serving.release.bucket import FileInfo


class ObjectBucket:
    """A bucket, or a folder of one, on S3 or GCS."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        # A cached listing would hide what another process has written since.
        self._fs, self._root = fsspec.core.url_to_fs(self.url, use_listings_cache=False)

    def listing(self, prefix: str) -> dict[str, FileInfo]:
        """See `Bucket`. One list request per thousand files, at any depth."""
        top = f"{self._root}/{prefix}"
        found = self._fs.find(top, detail=True)
        if not found:
            raise FileNotFoundError(f"{self.url}/{prefix}: no such folder")
        return {
            name[len(top) + 1 :]: FileInfo(int(info["size"] or 0), str(info.get("ETag") or info.get("etag")))
            for name, info in found.items()
            if len(name) > len(top) + 1
        }

    def read(self, key: str) -> bytes:
        """See `Bucket`."""
        return bytes(self._fs.cat_file(f"{self._root}/{key}"))

    def write(self, key: str, data: bytes) -> None:
        """See `Bucket`."""
        self._fs.pipe_file(f"{self._root}/{key}", data)

    def create(self, key: str, data: bytes) -> bool:
        """See `Bucket`. A conditional put, which S3, GCS and compatible stores support."""
        try:
            self._fs.pipe_file(f"{self._root}/{key}", data, mode="create")
        except FileExistsError:
            return False
        except OSError as error:
            if _is_conflict(error):
                return False
            raise
        return True

    def upload(self, source: Path, key: str) -> None:
        """See `Bucket`."""
        self._fs.put_file(str(source), f"{self._root}/{key}")

    def download(self, key: str, target: Path) -> None:
        """See `Bucket`."""
        target.parent.mkdir(parents=True, exist_ok=True)
        self._fs.get_file(f"{self._root}/{key}", str(target))

    def sha256(self, key: str) -> str:
        """See `Bucket`."""
        with self._fs.open(f"{self._root}/{key}", "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def remove(self, keys: list[str]) -> None:
        """See `Bucket`."""
        for key in keys:
            try:
                self._fs.rm_file(f"{self._root}/{key}")
            except FileNotFoundError:
                continue


def _is_conflict(error: OSError) -> bool:
    """Return whether S3 refused a conditional put: s3fs maps only some of the error codes to FileExistsError."""
    response = getattr(error.__cause__, "response", None) or {}
    return response.get("Error", {}).get("Code") in (
        "PreconditionFailed",
        "ConditionalRequestConflict",
        "412",
    )
