"""Opens the bucket at a URL."""

from pathlib import Path
from urllib.parse import urlsplit

from serving.release.bucket import OBJECT_SCHEMES, Bucket, BucketError
from serving.release.folder import LocalBucket


def open_bucket(url: str | Path | Bucket) -> Bucket:
    """Return the bucket at a URL: a local path, `file://`, `s3://` or `gs://`.

    Raises:
        BucketError: the URL has another scheme, or no bucket name.
    """
    if not isinstance(url, str | Path):
        return url
    text = str(url)
    scheme = urlsplit(text).scheme if "://" in text else ""
    if scheme in ("", "file"):
        path = text.removeprefix("file://")
        if not path:
            raise BucketError("the bucket URL is empty; use a folder or an s3:// or gs:// URL")
        return LocalBucket(Path(path).absolute())
    if scheme in OBJECT_SCHEMES:
        if not urlsplit(text).netloc:
            raise BucketError(f"bucket URL {text!r} has no bucket name; use {scheme}://BUCKET/FOLDER")
        from serving.release.object_store import ObjectBucket  # imported late: a folder does not need fsspec

        return ObjectBucket(text)
    raise BucketError(
        f"bucket URL {text!r}: the scheme {scheme!r} is not supported; use a local path, s3:// or gs://"
    )
