"""What is applied to clusters is what their API takes, and what a restricted namespace takes."""

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from pipeline.config import load_config
from tests.conftest import REPOSITORY

FOLDER = REPOSITORY / "infra" / "kubernetes"
#: Their schemas are not Kubernetes' own.
OPERATORS = ("flink.apache.org/", "kubeflow.org/", "kustomize.config.k8s.io/")


def _documents() -> list[tuple[Path, Any]]:
    return [
        (path.relative_to(FOLDER), document)
        for path in sorted(FOLDER.rglob("*.yaml"))
        for document in yaml.safe_load_all(path.read_text())
        if "apiVersion" in document and not document["apiVersion"].startswith(OPERATORS)
    ]


@pytest.mark.parametrize("version", ["1.30", "1.34"])
def test_every_manifest_is_valid_to_the_letter(version: str) -> None:
    documents = _documents()
    assert {document["kind"] for _, document in documents} >= {
        "CronJob",
        "Namespace",
        "PersistentVolumeClaim",
    }
    for path, document in documents:
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            pytest.fail(f"{path}, {document['kind']}: {error.message} at {list(error.path)}")


def test_the_cronjobs_configuration_is_one() -> None:
    config = load_config(FOLDER / "pipeline" / "config.yaml")
    assert "://" in config.push.bucket, "a pod's folders are gone with it"
