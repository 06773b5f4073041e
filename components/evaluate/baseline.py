"""The latest released model that the candidate is compared with."""

from pathlib import Path
from typing import Any

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts

from components.driver import PropertyDriver
from components.names import CANDIDATE_DIGEST, RELEASED, SERVING
from serving.release.digest import file_digests, model_digest
from serving.release.fetch import fetch
from serving.release.record import Release, releases


def exported_digest(model_uri: str) -> str:
    """Digest the SavedModel inside a Model artifact."""
    return model_digest(file_digests(Path(model_uri) / SERVING))


def find_baseline(bucket: str, model_name: str, candidate: str) -> Release | None:
    """Find the newest release of a model other than the candidate.

    A model is not compared with itself or with its own optimized form. One that was pushed before keeps the baseline
    that it was pushed against, so a repeated run finds every result in the cache.
    """
    released = reversed(releases(bucket, model_name))
    return next((r for r in released if candidate not in (r.digest, r.lineage.get(CANDIDATE_DIGEST))), None)


class LatestReleaseDriver(PropertyDriver):
    """Checks the bucket before TFX checks its cache: a new release there is a new baseline."""

    def look_up(self, exec_properties: dict[str, Any], input_dict: dict[str, Any]) -> dict[str, str]:
        """Set `version` to the baseline's number and digest, so that a recreated bucket is noticed."""
        bucket, name = exec_properties["bucket"], exec_properties["model_name"]
        candidate = exported_digest(input_dict["model"][0].uri)
        release = find_baseline(bucket, name, candidate)
        found = f"{release.version}:{release.digest}" if release else ""
        return {"version": found}


@component
def LatestRelease(  # noqa: N802  (a component's name is its class name)
    model: InputArtifact[standard_artifacts.Model],
    baseline: OutputArtifact[standard_artifacts.Model],
    bucket: Parameter[str],
    model_name: Parameter[str],
    code_digest: Parameter[str],
    version: Parameter[str] = "",
) -> None:
    """Fetch the latest released model other than the candidate; without one, the artifact is empty.

    Args:
        model: the candidate.
        baseline: the result: the release under `model/`, its digests verified.
        bucket: fsspec URL of the bucket.
        model_name: the model's folder in it.
        code_digest: part of the cache key.
        version: `number:digest`, set by the driver.
    """
    del code_digest, model
    target = Path(baseline.uri)
    target.mkdir(parents=True, exist_ok=True)
    if version:
        fetch(bucket, model_name, int(version.partition(":")[0]), target / RELEASED)


LatestRelease.DRIVER_CLASS = LatestReleaseDriver
