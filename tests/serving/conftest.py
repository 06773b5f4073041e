"""Buckets to release to: a folder, and S3 as moto serves it."""

from pathlib import Path

import pytest


@pytest.fixture(params=["file", "s3"])
def bucket_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "file":
        return str(tmp_path / "bucket")
    url: str = request.getfixturevalue("s3_url")
    return url
