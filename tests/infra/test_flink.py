"""The Flink of the cluster, that of the job server, and that which the tests run are of one version."""

import re
from typing import Any

import yaml

from pipeline.config import parse_config
from tests.conftest import REPOSITORY

FOLDER = REPOSITORY / "infra" / "kubernetes" / "flink"


def _documents(name: str) -> dict[str, Any]:
    return {one["kind"]: one for one in yaml.safe_load_all((FOLDER / name).read_text())}


def test_versions_are_those_of_the_pom() -> None:
    pom = (REPOSITORY / "infra" / "flink" / "pom.xml").read_text()
    found = re.search(r"beam-runners-flink-([\d.]+)</artifactId>\s*<version>([\d.]+)<", pom)
    assert found is not None
    flink, beam = found.groups()
    cluster = _documents("cluster.yaml")["FlinkDeployment"]["spec"]
    assert cluster["flinkVersion"] == f"v{flink.replace('.', '_')}"
    assert cluster["image"].partition(":")[2].startswith(f"{flink}-")
    (server,) = _documents("job-server.yaml")["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert server["image"].endswith(f"beam_flink{flink}_job_server:{beam}")


def test_the_configuration_in_the_docs_finds_the_service_and_the_pool() -> None:
    page = (REPOSITORY / "docs" / "scale.md").read_text()
    (block,) = (text for text in re.findall(r"```yaml\n(.*?)```", page, re.S) if "artifact_endpoint" in text)
    digits = yaml.safe_load((REPOSITORY / "configs" / "digits.yaml").read_text())
    options = parse_config({**digits, **yaml.safe_load(block)}, "docs").beam.options["flink"]
    service = _documents("job-server.yaml")["Service"]
    ports = {
        port["name"]: f"{service['metadata']['name']}:{port['port']}" for port in service["spec"]["ports"]
    }
    assert (options["job_endpoint"], options["artifact_endpoint"]) == (ports["job"], ports["artifact"])
    manager = _documents("cluster.yaml")["FlinkDeployment"]["spec"]["taskManager"]["podTemplate"]["spec"]
    (pool,) = manager["containers"]
    assert f"--service_port={str(options['environment_config']).partition(':')[2]}" in pool["command"]
