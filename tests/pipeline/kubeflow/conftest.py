from collections.abc import Iterator

import pytest

from pipeline.config import Config, load_config
from tests.conftest import REPOSITORY
from tests.pipeline.kubeflow.api import Api, serve


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """The API's stub, named by the environment."""
    with serve() as stub:
        monkeypatch.setenv("KF_PIPELINES_ENDPOINT", stub.url)
        yield stub


@pytest.fixture(scope="session")
def config() -> Config:
    return load_config(
        REPOSITORY / "configs" / "digits.yaml",
        ["push.bucket=s3://models/released", "kubeflow.image=registry.example/slipway:1"],
    )
