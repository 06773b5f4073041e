"""Releases: the format of a version in the bucket, and queries of a bucket.

A release is `<bucket>/<model>/<version>/`: the model's files and, in `assets.extra/`, `release.json`.
Versions are integers that only increase. Nothing here writes; `push`, `retention` and `rollback` do.
"""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from serving.errors import UserError
from serving.release.bucket import Bucket, FileInfo
from serving.release.digest import EXTRAS
from serving.release.open import open_bucket

RELEASE_FILE = f"{EXTRAS}/release.json"
WARMUP_FILE = f"{EXTRAS}/tf_serving_warmup_requests"
ENTRY_FILES = ("model.tflite", "saved_model.pbtxt", "saved_model.cpb", "saved_model.pb")
"""The files that make a folder servable, in the order in which they are written, after all others."""
FORMAT_VERSION = 1

# What absl::SimpleAtoi accepts, with which TensorFlow Serving finds version folders; it then drops negative numbers.
_INTEGER = re.compile(r"\s*\+?(\d+)\s*", re.ASCII)
_LARGEST = 2**63 - 1


class ReleaseError(UserError, RuntimeError):
    """A version is not a complete release; the message says what is wrong."""


class Rollback(BaseModel):
    """Why an old model was released again."""

    model_config = ConfigDict(frozen=True)

    from_version: int
    to_version: int
    reason: str
    time: str
    by: str
    withdrawn: dict[str, int] = Field(default={}, description="withdrawn digests, with their newest version")


class Release(BaseModel):
    """The record of one version, as stored in `assets.extra/release.json`."""

    model_config = ConfigDict(frozen=True)

    format_version: int = FORMAT_VERSION
    model_name: str
    version: int
    digest: str = Field(description="the model's digest, which verdicts name")
    files: dict[str, str] = Field(description="SHA-256 of every file of the version except this one")
    size_bytes: int = Field(description="size of the model's own files, without assets.extra")
    created: str = Field(description="creation time in UTC, ISO 8601")
    variant: str = "float"
    signatures: list[str] = []
    classes: list[str] = Field(default=[], description="names of its classes, in the order of their ids")
    inputs: dict[str, str] = Field(
        default={}, description="its inputs, each with TensorFlow's name of its type"
    )
    split: dict[str, Any] | None = Field(
        default=None, description="how the data that it was made of was split"
    )
    lineage: dict[str, Any] = {}
    verdicts: list[dict[str, Any]] = []
    rollback: Rollback | None = None
    slipway_version: str = Field(default="", description="version of the Slipway that wrote it")
    commit: str = Field(default="", description="git commit of that Slipway's sources, if known")


def now() -> str:
    """Return the current time as releases record it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def parse_version(name: str) -> int | None:
    """Return the version that a folder's name stands for, by TensorFlow Serving's rule (`007` is 7), or None."""
    match = _INTEGER.fullmatch(name)
    return int(match[1]) if match and int(match[1]) <= _LARGEST else None


def version_folders(listing: dict[str, FileInfo]) -> dict[int, dict[str, FileInfo]]:
    """Group the listing of a model's folder by version, complete or not.

    Of two names for one number the last in sorted order counts, as in TensorFlow Serving.
    """
    folders: dict[str, dict[str, FileInfo]] = {}
    for path, info in listing.items():
        folder, slash, rest = path.partition("/")
        if slash and parse_version(folder) is not None:
            folders.setdefault(folder, {})[rest] = info
    # Ascending, so that of equal numbers the last name stays.
    return {parse_version(folder) or 0: folders[folder] for folder in sorted(folders)}


def is_whole(files: dict[str, FileInfo]) -> bool:
    """Return whether a version is complete, and so servable: its entry file, always written last, exists."""
    return any(name in files for name in ENTRY_FILES)


def list_versions(bucket: str | Path | Bucket, model_name: str) -> list[int]:
    """Return the complete versions of a model, ascending; none if the model or the bucket does not exist."""
    return _whole_versions(open_bucket(bucket), model_name)


def read_release(bucket: str | Path | Bucket, model_name: str, version: int) -> Release:
    """Return the record of a version.

    Raises:
        ReleaseError: there is no such version, or its record is missing or damaged.
    """
    where = open_bucket(bucket)
    key = f"{model_name}/{version}/{RELEASE_FILE}"
    try:
        data = where.read(key)
    except FileNotFoundError:
        have = _whole_versions(where, model_name)
        raise ReleaseError(
            f"{where.url}/{key} does not exist; existing versions of {model_name}: {have or 'none'}"
        ) from None
    return parse_release(data, f"{where.url}/{key}")


def parse_release(data: bytes, where: str) -> Release:
    """Parse a record; `where` names it in errors.

    Raises:
        ReleaseError: the record is damaged, or has a newer format than this program knows.
    """
    try:
        release = Release.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ReleaseError(f"{where} is damaged: {field}: {first['msg']}") from error
    if release.format_version > FORMAT_VERSION:
        raise ReleaseError(
            f"{where} has format_version {release.format_version}, but this program supports only "
            f"{FORMAT_VERSION}: update it"
        )
    return release


def releases(bucket: str | Path | Bucket, model_name: str) -> list[Release]:
    """Return every release of a model, oldest first. Versions without a record (put there by hand) are left out."""
    where = open_bucket(bucket)
    found = (_read_if_there(where, model_name, version) for version in _whole_versions(where, model_name))
    return [release for release in found if release]


def latest_release(bucket: str | Path | Bucket, model_name: str) -> Release | None:
    """Return the newest release of a model, or None if it has none."""
    where = open_bucket(bucket)
    for version in reversed(_whole_versions(where, model_name)):
        release = _read_if_there(where, model_name, version)
        if release:
            return release
    return None


def find_release(bucket: str | Path | Bucket, model_name: str, digest: str) -> Release | None:
    """Return the newest release of a model with this digest, or None."""
    where = open_bucket(bucket)
    for version in reversed(_whole_versions(where, model_name)):
        release = _read_if_there(where, model_name, version)
        if release and release.digest == digest:
            return release
    return None


def _whole_versions(bucket: Bucket, model_name: str) -> list[int]:
    try:
        folders = version_folders(bucket.listing(model_name))
    except FileNotFoundError:
        return []
    return sorted(version for version, files in folders.items() if is_whole(files))


def _read_if_there(bucket: Bucket, model_name: str, version: int) -> Release | None:
    key = f"{model_name}/{version}/{RELEASE_FILE}"
    try:
        return parse_release(bucket.read(key), f"{bucket.url}/{key}")
    except FileNotFoundError:  # put there by hand, or deleted since the listing
        return None
