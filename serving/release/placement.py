"""Puts a version's files into a bucket, and removes them, so that no reader ever sees an incomplete version.

On a file system a version is staged in `.slipway/staging/`, read back, and renamed into place. An object store has no
rename: there the entry file (`saved_model.pb`, `model.tflite`) is uploaded last, after the others have been read back,
and is deleted first.
"""

import secrets
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from serving.errors import UserError
from serving.release.bucket import Bucket
from serving.release.folder import LocalBucket, sync_folder
from serving.release.journal import PRIVATE
from serving.release.record import ENTRY_FILES, is_whole, version_folders

Step = Callable[[str], None]


class ReadBackError(UserError, RuntimeError):
    """The data read back from the bucket differs from what was written."""


class Placement(Protocol):
    """Puts the versions of one model into a bucket, and removes them."""

    def place(
        self,
        version: int,
        files: Mapping[str, Path],
        digests: Mapping[str, str],
        *,
        step: Step,
        may_publish: Callable[[], None],
    ) -> None:
        """Make a version appear, complete and verified.

        Args:
            version: a number that no other process writes.
            files: the files by relative path.
            digests: the digests that must be read back, by the same paths.
            step: called with the name of each step before it is taken.
            may_publish: raises if this process must not continue; called just before the version becomes visible.

        Raises:
            ReadBackError: the bucket does not return what was written; the version is then removed again.
        """

    def remove(self, version: int, *, step: Step) -> None:
        """Delete a version: it disappears as a whole before its files do."""

    def clean(self, highest: int) -> None:
        """Remove what a dead process left: staged and hidden files, and incomplete uploads.

        Args:
            highest: the highest version that Slipway ever used; a higher one that is incomplete is being copied
                there by something else, and is left alone.
        """


def placement(bucket: Bucket, model_name: str) -> Placement:
    """Return the placement of a model's versions for this kind of bucket."""
    if isinstance(bucket, LocalBucket):
        return FolderPlacement(bucket, model_name)
    return ObjectPlacement(bucket, model_name)


class FolderPlacement:
    """Versions in a folder: staged, then renamed. See `Placement`."""

    def __init__(self, bucket: LocalBucket, model_name: str) -> None:
        self._bucket = bucket
        self._model_name = model_name
        self._folder = bucket.root / model_name

    def place(
        self,
        version: int,
        files: Mapping[str, Path],
        digests: Mapping[str, str],
        *,
        step: Step,
        may_publish: Callable[[], None],
    ) -> None:
        """See `Placement`."""
        staging = f"{self._model_name}/{PRIVATE}/staging/{version}"
        names = _entries_last(files)
        for name in names:
            step(f"stage {name}")
            self._bucket.upload(files[name], f"{staging}/{name}")
        step("read back")
        _verify(self._bucket, staging, names, digests)
        _sync_tree(self._bucket.root / staging)
        may_publish()
        step("rename")
        (self._bucket.root / staging).rename(self._folder / str(version))
        sync_folder(self._folder)

    def remove(self, version: int, *, step: Step) -> None:
        """See `Placement`."""
        trash = self._folder / PRIVATE / "trash" / f"{version}-{secrets.token_hex(4)}"
        trash.parent.mkdir(parents=True, exist_ok=True)
        step(f"hide version {version}")
        (self._folder / str(version)).rename(trash)
        step(f"delete version {version}")
        shutil.rmtree(trash)

    def clean(self, highest: int) -> None:
        """See `Placement`. Here no version is ever incomplete, whatever its number."""
        del highest
        for name in ("staging", "trash"):
            shutil.rmtree(self._folder / PRIVATE / name, ignore_errors=True)


class ObjectPlacement:
    """Versions in an object store: the entry file is uploaded last and deleted first. See `Placement`."""

    def __init__(self, bucket: Bucket, model_name: str) -> None:
        self._bucket = bucket
        self._model_name = model_name

    def place(
        self,
        version: int,
        files: Mapping[str, Path],
        digests: Mapping[str, str],
        *,
        step: Step,
        may_publish: Callable[[], None],
    ) -> None:
        """See `Placement`."""
        target = f"{self._model_name}/{version}"
        entries = [name for name in ENTRY_FILES if name in files]
        others = [name for name in files if name not in entries]
        for name in others:
            step(f"upload {name}")
            self._bucket.upload(files[name], f"{target}/{name}")
        step("read back")
        _verify(self._bucket, target, others, digests)
        may_publish()
        for name in entries:
            step(f"upload {name}")
            self._bucket.upload(files[name], f"{target}/{name}")
        try:
            step("read back entry")
            _verify(self._bucket, target, entries, digests)
            may_publish()
        except Exception:
            self.remove(version, step=lambda _: None)
            raise

    def remove(self, version: int, *, step: Step) -> None:
        """See `Placement`."""
        target = f"{self._model_name}/{version}"
        names = list(self._bucket.listing(target))
        entries = [name for name in reversed(ENTRY_FILES) if name in names]
        step(f"hide version {version}")
        self._bucket.remove([f"{target}/{name}" for name in entries])
        step(f"delete version {version}")
        self._bucket.remove([f"{target}/{name}" for name in names if name not in entries])

    def clean(self, highest: int) -> None:
        """See `Placement`."""
        try:
            folders = version_folders(self._bucket.listing(self._model_name))
        except FileNotFoundError:
            return
        for version, files in folders.items():
            if version <= highest and not is_whole(files):
                self._bucket.remove([f"{self._model_name}/{version}/{name}" for name in files])


def verify(bucket: Bucket, model_name: str, version: int, digests: Mapping[str, str]) -> None:
    """Read a complete version back, and check it.

    Raises:
        ReadBackError: a file is missing or differs.
    """
    _verify(bucket, f"{model_name}/{version}", list(digests), digests)


def _entries_last(files: Mapping[str, Path]) -> list[str]:
    entries = [name for name in ENTRY_FILES if name in files]
    return [name for name in files if name not in entries] + entries


def _verify(bucket: Bucket, folder: str, names: list[str], digests: Mapping[str, str]) -> None:
    for name in names:
        try:
            got = bucket.sha256(f"{folder}/{name}")
        except FileNotFoundError:
            raise ReadBackError(f"{bucket.url}/{folder}/{name} was written but does not exist") from None
        if got != digests[name]:
            raise ReadBackError(
                f"{bucket.url}/{folder}/{name} reads back as SHA-256 {got}, but {digests[name]} was written; "
                "check the disk or the object store, then push again"
            )


def _sync_tree(top: Path) -> None:
    for folder in [top, *(path for path in top.rglob("*") if path.is_dir())]:
        sync_folder(folder)
