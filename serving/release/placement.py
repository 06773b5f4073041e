"""Putting a version's files into a bucket, and taking them out, so that no reader ever sees half of it.

On a file system a version is staged in `.slipway/staging/`, read back, and renamed into place. On an object
store, which has no rename, its entry file (`saved_model.pb`, `model.tflite`) is uploaded last, after the
others were read back, and is deleted first.
"""

import secrets
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from serving.release.bucket import Bucket, LocalBucket, sync_folder
from serving.release.journal import PRIVATE
from serving.release.record import ENTRY_FILES, is_whole, version_folders

Step = Callable[[str], None]


class ReadBackError(RuntimeError):
    """What was read back from the bucket is not what was written."""


def place(
    bucket: Bucket,
    model_name: str,
    version: int,
    files: Mapping[str, Path],
    digests: Mapping[str, str],
    *,
    step: Step,
    may_publish: Callable[[], None],
) -> None:
    """Makes a version appear, whole and verified.

    Args:
        bucket: where to.
        model_name: the model's folder.
        version: a number that nobody else writes.
        files: the files by relative path.
        digests: what must be read back, by the same paths.
        step: told the name of each step before it is taken.
        may_publish: raises if this process must not go on; asked just before the version can be seen.

    Raises:
        ReadBackError: if the bucket does not return what was written; the version is then taken away again.
    """
    entries = [name for name in ENTRY_FILES if name in files]
    ordered = [name for name in files if name not in entries] + entries
    target = f"{model_name}/{version}"
    if isinstance(bucket, LocalBucket):
        staging = f"{model_name}/{PRIVATE}/staging/{version}"
        for name in ordered:
            step(f"stage {name}")
            bucket.upload(files[name], f"{staging}/{name}")
        step("read back")
        _verify(bucket, staging, ordered, digests)
        _sync_tree(bucket.root / staging)
        may_publish()
        step("rename")
        (bucket.root / staging).rename(bucket.root / target)
        sync_folder(bucket.root / model_name)
        return
    others = [name for name in ordered if name not in entries]
    for name in others:
        step(f"upload {name}")
        bucket.upload(files[name], f"{target}/{name}")
    step("read back")
    _verify(bucket, target, others, digests)
    may_publish()
    for name in entries:
        step(f"upload {name}")
        bucket.upload(files[name], f"{target}/{name}")
    try:
        step("read back entry")
        _verify(bucket, target, entries, digests)
        may_publish()
    except Exception:
        remove(bucket, model_name, version, step=lambda _: None)
        raise


def verify(bucket: Bucket, model_name: str, version: int, digests: Mapping[str, str]) -> None:
    """Reads a whole version back.

    Raises:
        ReadBackError: if a file is missing or differs.
    """
    _verify(bucket, f"{model_name}/{version}", list(digests), digests)


def remove(bucket: Bucket, model_name: str, version: int, *, step: Step) -> None:
    """Deletes a version: it is gone as a whole before its files go."""
    target = f"{model_name}/{version}"
    if isinstance(bucket, LocalBucket):
        trash = bucket.root / model_name / PRIVATE / "trash" / f"{version}-{secrets.token_hex(4)}"
        trash.parent.mkdir(parents=True, exist_ok=True)
        step(f"hide version {version}")
        (bucket.root / target).rename(trash)
        step(f"delete version {version}")
        shutil.rmtree(trash)
        return
    names = list(bucket.listing(target))
    entries = [name for name in reversed(ENTRY_FILES) if name in names]
    step(f"hide version {version}")
    bucket.remove([f"{target}/{name}" for name in entries])
    step(f"delete version {version}")
    bucket.remove([f"{target}/{name}" for name in names if name not in entries])


def clean(bucket: Bucket, model_name: str, highest: int) -> None:
    """Takes away what died half-way: staged and hidden files, and uploads that never became whole.

    Args:
        bucket: where.
        model_name: the model's folder.
        highest: the highest version that Slipway ever used; a higher one that is not whole is being copied
            there by someone else, and is left alone.
    """
    if isinstance(bucket, LocalBucket):
        for name in ("staging", "trash"):
            shutil.rmtree(bucket.root / model_name / PRIVATE / name, ignore_errors=True)
        return
    try:
        folders = version_folders(bucket.listing(model_name))
    except FileNotFoundError:
        return
    for version, files in folders.items():
        if version <= highest and not is_whole(files):
            bucket.remove([f"{model_name}/{version}/{name}" for name in files])


def _verify(bucket: Bucket, folder: str, names: list[str], digests: Mapping[str, str]) -> None:
    for name in names:
        try:
            got = bucket.sha256(f"{folder}/{name}")
        except FileNotFoundError:
            raise ReadBackError(f"{bucket.url}/{folder}/{name} was written but is not there") from None
        if got != digests[name]:
            raise ReadBackError(
                f"{bucket.url}/{folder}/{name} reads back as SHA-256 {got}, written was {digests[name]}; "
                "check the disk or the object store, then push again"
            )


def _sync_tree(top: Path) -> None:
    for folder in [top, *(path for path in top.rglob("*") if path.is_dir())]:
        sync_folder(folder)
