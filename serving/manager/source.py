"""Finds the versions of a model: in a folder by the names in it, in a bucket by one listing."""

from pathlib import Path
from urllib.parse import urlsplit

from serving.release.bucket import OBJECT_SCHEMES
from serving.release.open import open_bucket
from serving.release.record import list_versions, parse_version


def is_remote(base_path: str) -> bool:
    """Return whether a base path is in an object store, from which versions must be fetched first."""
    return urlsplit(base_path).scheme in OBJECT_SCHEMES


def split_url(base_path: str) -> tuple[str, str]:
    """Split a base path in an object store into bucket URL and model folder."""
    bucket, _, model = base_path.rstrip("/").rpartition("/")
    return bucket, model


def find_versions(base_path: str) -> dict[int, str]:
    """Return the location of each version, by number.

    As in TensorFlow Serving, any name that parses as an integer is a version, and of two names for one number the
    last in sorted order counts. Unlike there, a version in an object store must be complete.

    Raises:
        OSError: the base path cannot be listed; the loaded versions should then stay.
    """
    if is_remote(base_path):
        bucket, model = split_url(base_path)
        found = list_versions(open_bucket(bucket), model)
        if not found:
            # An object store has no empty folders: an empty listing means a wrong URL or a failing store.
            raise FileNotFoundError(f"{base_path} holds no versions")
        return {number: f"{base_path.rstrip('/')}/{number}" for number in found}
    folder = Path(base_path.removeprefix("file://"))
    names = sorted(child.name for child in folder.iterdir())
    numbers = {name: parse_version(name) for name in names}
    return {number: str(folder / name) for name, number in numbers.items() if number is not None}
