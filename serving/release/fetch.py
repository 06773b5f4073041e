"""Downloads a version from a bucket: it gets its final name only when it is complete and verified."""

import secrets
import shutil
import time
from pathlib import Path

from serving.release.bucket import Bucket, FileInfo
from serving.release.digest import EXTRAS, file_digest, model_digest
from serving.release.open import open_bucket
from serving.release.record import (
    RELEASE_FILE,
    ReleaseError,
    is_whole,
    parse_release,
    version_folders,
)

_PARTIAL = ".fetch-"
_ABANDONED_AFTER = 3600.0


def fetch(bucket: str | Path | Bucket, model_name: str, version: int, dest: str | Path) -> Path:
    """Download a version to `dest`, which appears only when all of it has been verified.

    A release is verified by the digests of its `release.json`. A version without one (put there by hand) must
    at least not have changed while it was copied.

    Args:
        bucket: a local path, s3:// or gs:// URL.
        model_name: the model's folder in the bucket.
        version: which version.
        dest: the folder to create; an existing one is left as it is.

    Raises:
        ReleaseError: the version does not exist, is incomplete, or does not match its record.
    """
    where = open_bucket(bucket)
    target = Path(dest)
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    _clean(target.parent)
    files = _files(where, model_name, version)
    partial = target.parent / f"{_PARTIAL}{version}-{secrets.token_hex(4)}"
    try:
        _download(where, model_name, version, files, partial)
        if RELEASE_FILE in files:
            check_release(partial, f"{where.url}/{model_name}/{version}")
        elif _files(where, model_name, version) != files:
            raise ReleaseError(f"{where.url}/{model_name}/{version} changed during the download; try again")
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def check_release(folder: Path, where: str) -> None:
    """Verify a local copy of a release by its own record.

    Args:
        folder: the copy.
        where: its name in errors.

    Raises:
        ReleaseError: a file is missing, altered or not recorded; the message names the first one.
    """
    release = parse_release((folder / RELEASE_FILE).read_bytes(), f"{where}/{RELEASE_FILE}")
    have = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    have.discard(RELEASE_FILE)
    missing = sorted(release.files.keys() - have)
    if missing:
        raise ReleaseError(f"{where} is incomplete: {missing[0]} is missing, but listed in its release.json")
    surplus = sorted(have - release.files.keys())
    if surplus:
        raise ReleaseError(
            f"{where}: {surplus[0]} is not in its release.json; it was added after the release"
        )
    for name, digest in release.files.items():
        got = file_digest(folder / name)
        if got != digest:
            raise ReleaseError(
                f"{where}/{name} has SHA-256 {got}, but its release.json says {digest}: damaged or altered"
            )
    own = {name: digest for name, digest in release.files.items() if not name.startswith(EXTRAS + "/")}
    if model_digest(own) != release.digest:
        raise ReleaseError(f"{where}/{RELEASE_FILE}: its digest does not match the files that it lists")


def _files(bucket: Bucket, model_name: str, version: int) -> dict[str, FileInfo]:
    try:
        folders = version_folders(bucket.listing(model_name))
    except FileNotFoundError:
        folders = {}
    files = folders.get(version, {})
    if not is_whole(files):
        have = sorted(number for number, found in folders.items() if is_whole(found))
        raise ReleaseError(
            f"{bucket.url}/{model_name}/{version} is not a complete version; existing versions: {have or 'none'}"
        )
    return files


def _download(
    bucket: Bucket, model_name: str, version: int, files: dict[str, FileInfo], partial: Path
) -> None:
    folder = str(version)
    for name, info in files.items():
        key = f"{model_name}/{folder}/{name}"
        try:
            bucket.download(key, partial / name)
        except FileNotFoundError:
            raise ReleaseError(f"{bucket.url}/{key} disappeared during the download") from None
        size = (partial / name).stat().st_size
        if size != info.size:
            raise ReleaseError(
                f"{bucket.url}/{key}: {size} bytes were downloaded instead of {info.size}; try again"
            )


def _clean(folder: Path) -> None:
    """Remove abandoned downloads; recent ones may still be running in another process."""
    for path in folder.glob(f"{_PARTIAL}*"):
        if time.time() - path.stat().st_mtime > _ABANDONED_AFTER:
            shutil.rmtree(path, ignore_errors=True)
