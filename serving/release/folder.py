"""A bucket in a folder of a file system."""

import errno
import os
import secrets
import shutil
from pathlib import Path

from serving.release.bucket import FileInfo
from serving.release.digest import file_digest

_NO_HARD_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)


class LocalBucket:
    """A bucket in a folder of a file system."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.url = str(root)

    def listing(self, prefix: str) -> dict[str, FileInfo]:
        """See `Bucket`. A file that is deleted during the listing is left out."""
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
        """See `Bucket`. A hard link makes the complete file appear at once, so that no reader sees it empty."""
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
        return file_digest(self.root / key)

    def remove(self, keys: list[str]) -> None:
        """See `Bucket`."""
        for key in keys:
            (self.root / key).unlink(missing_ok=True)

    def _create_in_place(self, key: str, data: bytes) -> bool:
        """Create a file on a file system without hard links: exclusive, but not atomic for readers."""
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
    """Make renames and new names in a folder survive a power failure."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
