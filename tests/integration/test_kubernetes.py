"""The CronJob of infra/kubernetes/pipeline on a real cluster: any that KUBECONFIG names.

Needs `SLIPWAY_IMAGE`, the pipeline's image under a name that the nodes find. `SLIPWAY_KUBECTL` is the command, if it is
not `kubectl`. Where the cluster has no default StorageClass, the nodes must see this machine's files, as on kind.
"""

import json
import os
import shlex
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import REPOSITORY

KUBECTL = shlex.split(os.environ.get("SLIPWAY_KUBECTL", "kubectl"))
IMAGE = os.environ.get("SLIPWAY_IMAGE", "")
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(
        not (IMAGE and {"KUBECONFIG", "SLIPWAY_KUBECTL"} & set(os.environ)),
        reason="no cluster: set KUBECONFIG (or SLIPWAY_KUBECTL) and SLIPWAY_IMAGE",
    ),
]
CREDENTIALS = {
    "AWS_ENDPOINT_URL": "http://s3:9000",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
}
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
#: An S3 server, and a place to look into the bucket from.
S3 = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "s3", "labels": {"app": "s3"}},
    "spec": {
        "containers": [
            {
                "name": "s3",
                "image": "localhost/slipway-pipeline:latest",
                "imagePullPolicy": "IfNotPresent",
                "command": ["moto_server", "-H", "0.0.0.0", "-p", "9000"],
                "envFrom": [{"secretRef": {"name": "slipway-bucket"}}],
                "readinessProbe": {"tcpSocket": {"port": 9000}},
                "securityContext": RESTRICTED,
            }
        ]
    },
}
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "s3"},
    "spec": {"selector": {"app": "s3"}, "ports": [{"port": 9000}]},
}


def _kubectl(*arguments: str, text: str | None = None, check: bool = True) -> str:
    done = subprocess.run(
        [*KUBECTL, *arguments], input=text, capture_output=True, text=True, check=False, timeout=120
    )
    assert not check or done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


@dataclass(frozen=True)
class Cluster:
    """A namespace of its own with the CronJob, not yet due, and an S3 bucket."""

    namespace: str
    folder: Path

    def do(self, *arguments: str, text: str | None = None, check: bool = True) -> str:
        return _kubectl("--namespace", self.namespace, *arguments, text=text, check=check)

    def get(self, *arguments: str) -> Any:
        return json.loads(self.do("get", "-o", "json", *arguments))

    def apply(self, *, epochs: int, lower_bound: float) -> None:
        """Write an overlay as a user would, and apply it."""
        base = yaml.safe_load((REPOSITORY / "infra/kubernetes/pipeline/config.yaml").read_text())
        base["train"] |= {"epochs": epochs, "early_stopping_patience": epochs}
        base["evaluate"]["thresholds"] = [{"metric": "accuracy", "lower_bound": lower_bound}]
        (self.folder / "config.yaml").write_text(yaml.safe_dump(base))
        (self.folder / "extra.yaml").write_text(yaml.safe_dump_all([S3, SERVICE]))
        name, _, tag = IMAGE.rpartition(":")
        root = os.path.relpath(REPOSITORY / "infra/kubernetes/pipeline", self.folder)
        overlay = {
            "namespace": self.namespace,
            "resources": [root, "extra.yaml"],
            "configMapGenerator": [{"name": "slipway-config", "behavior": "merge", "files": ["config.yaml"]}],
            "secretGenerator": [
                {
                    "name": "slipway-bucket",
                    "literals": [f"{key}={value}" for key, value in CREDENTIALS.items()],
                }
            ],
            "images": [{"name": "localhost/slipway-pipeline", "newName": name, "newTag": tag}],
            "patches": [
                {
                    "target": {"kind": "CronJob"},
                    "patch": '[{"op": "replace", "path": "/spec/schedule", "value": "* * * * *"}]',
                }
            ],
        }
        (self.folder / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
        self.do("apply", "-k", str(self.folder))

    def pods(self, job: str) -> list[Any]:
        """The pods of a Job, the oldest first."""
        found = self.get("pods", "-l", f"job-name={job}")["items"]
        return sorted(found, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))

    def log(self, pod: str) -> str:
        return self.do("logs", pod, check=False)

    def suspend(self) -> None:
        self.do("patch", "cronjob", "slipway-pipeline", "-p", '{"spec": {"suspend": true}}')

    def ended(self, job: str) -> str:
        """`Complete`, `Failed`, or nothing yet."""
        conditions = self.get("job", job)["status"].get("conditions", [])
        return next((c["type"] for c in conditions if c["type"] in ("Complete", "Failed")), "")

    def released(self) -> list[str]:
        """The names of all objects of all versions, below the model's folder."""
        code = "import s3fs; print('\\n'.join(s3fs.S3FileSystem().find('models/released')))"
        names = self.do("exec", "s3", "--", "python", "-c", code).split()
        return [n.removeprefix("models/released/digits/") for n in names if "/.slipway/" not in n]


def _wait(what: Callable[[], Any], seconds: float) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(1)
    return found


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(f"slipway-{uuid.uuid4().hex[:8]}", tmp_path_factory.mktemp("overlay").resolve())
    volume = cluster.folder / "volume"
    own_volume = not json.loads(_kubectl("get", "storageclass", "-o", "json"))["items"]
    try:
        if own_volume:
            for folder in (*cluster.folder.parents[:3], cluster.folder):
                folder.chmod(folder.stat().st_mode | 0o711)
            volume.mkdir()
            volume.chmod(0o777)
            _kubectl("apply", "-f", "-", text=json.dumps(_volume(cluster.namespace, volume)))
        cluster.apply(epochs=60, lower_bound=0.9)
        cluster.do("wait", "--for=condition=Ready", "pod/s3", "--timeout=60s")
        create = "import boto3; boto3.client('s3').create_bucket(Bucket='models')"
        cluster.do("exec", "s3", "--", "python", "-c", create)
        yield cluster
    finally:
        _kubectl("delete", "namespace", cluster.namespace, "--ignore-not-found", "--wait=false")
        if own_volume:
            _kubectl("delete", "persistentvolume", cluster.namespace, "--ignore-not-found", "--wait=false")


def _volume(name: str, folder: Path) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "20Gi"},
            "accessModes": ["ReadWriteOnce"],
            "hostPath": {"path": str(folder)},
            "claimRef": {"name": "slipway-work", "namespace": name},
        },
    }


def test_the_cronjob_runs_to_a_pushed_version_although_its_pod_is_killed(cluster: Cluster) -> None:
    (job,) = _wait(lambda: cluster.get("jobs")["items"], 90)
    cluster.suspend()
    name = job["metadata"]["name"]
    (first,) = _wait(lambda: cluster.pods(name), 30)
    pod = first["metadata"]["name"]
    _wait(lambda: "Trainer: epoch 3 of" in cluster.log(pod), 240)
    cluster.do("delete", "pod", pod, "--grace-period=0", "--force")
    assert cluster.released() == [], "half a version"

    assert _wait(lambda: cluster.ended(name), 400) == "Complete"
    (second,) = cluster.pods(name)
    log = cluster.log(second["metadata"]["name"])
    assert "Ingest: cached" in log
    assert "Trainer: epoch 1 of" not in log, "training went on at the epoch that the killed pod reached"
    assert "version 1" in log
    assert {name.split("/")[0] for name in cluster.released()} == {"1"}
    assert "1/assets.extra/release.json" in cluster.released()


def test_a_second_run_finds_nothing_new(cluster: Cluster) -> None:
    before = cluster.released()
    cluster.do("create", "job", "second", "--from=cronjob/slipway-pipeline")
    assert _wait(lambda: cluster.ended("second"), 240) == "Complete"
    assert "Trainer: cached" in cluster.log(cluster.pods("second")[0]["metadata"]["name"])
    assert cluster.released() == before


def test_a_refused_model_fails_the_job_at_once(cluster: Cluster) -> None:
    before = cluster.released()
    cluster.apply(epochs=1, lower_bound=0.9999)
    cluster.suspend()
    cluster.do("create", "job", "refused", "--from=cronjob/slipway-pipeline")
    assert _wait(lambda: cluster.ended("refused"), 300) == "Failed"
    (pod,) = cluster.pods("refused")
    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 3
    assert "Evaluator refused: accuracy is 0." in cluster.log(pod["metadata"]["name"])
    assert cluster.released() == before


def test_the_pods_are_those_that_a_restricted_namespace_takes(cluster: Cluster) -> None:
    name = cluster.pods("second")[0]["metadata"]["name"]
    spec = cluster.get("pod", name)["spec"]
    assert spec["securityContext"]["runAsUser"] == 65532
    assert spec["containers"][0]["securityContext"]["readOnlyRootFilesystem"]
    refused = cluster.do("run", "root", "--image", IMAGE, "--dry-run=server", check=False)
    assert "violates PodSecurity" in refused
