"""The TFX component of the last stage: a model that every gate passed becomes a version in the bucket."""

import json
from pathlib import Path
from typing import Any

from tfx.components.example_gen.utils import FINGERPRINT_PROPERTY_NAME
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts

from components.artifacts import ReleaseArtifact, VerdictArtifact
from components.driver import PropertyDriver
from components.names import CANDIDATE_DIGEST, FLOAT, SCHEMA_FILE, SERVING, VARIANT_PROPERTY
from components.push.approval import approved
from components.push.config import PushConfig
from components.push.outcome import PushOutcome, write_outcome
from components.push.warmup import write_warmup
from components.raw import example_files, golden_examples
from components.schema.text import classes_of, read_schema
from components.verdict import read_verdict
from serving.engine.open import EngineOptions, open_engine
from serving.engine.signature import DEFAULT_SIGNATURE
from serving.release.push import WithdrawnError, push
from serving.release.record import WARMUP_FILE, latest_release


class PusherDriver(PropertyDriver):
    """Checks the bucket before TFX checks its cache: an earlier push counts only while the bucket is unchanged."""

    def look_up(self, exec_properties: dict[str, Any], input_dict: dict[str, Any]) -> dict[str, str]:
        """Set `latest`: the newest release's number and digest."""
        config = PushConfig.model_validate_json(exec_properties["push_config"])
        release = latest_release(config.bucket, exec_properties["model_name"])
        return {"latest": f"{release.version}:{release.digest}" if release else ""}


@component
def Pusher(  # noqa: N802  (a component's name is its class name)
    model: InputArtifact[standard_artifacts.Model],
    examples: InputArtifact[standard_artifacts.Examples],
    schema: InputArtifact[standard_artifacts.Schema],
    data_verdict: InputArtifact[VerdictArtifact],
    model_verdict: InputArtifact[VerdictArtifact],
    release: OutputArtifact[ReleaseArtifact],
    model_name: Parameter[str],
    push_config: Parameter[str],
    label: Parameter[str],
    split_rule: Parameter[str],
    lineage: Parameter[str],
    code_digest: Parameter[str],
    optimize_verdict: InputArtifact[VerdictArtifact] = None,
    canary_verdict: InputArtifact[VerdictArtifact] = None,
    latest: Parameter[str] = "",
) -> None:
    """Push the model, unless it is released already.

    Args:
        model: the candidate, or the optimized form of it that Gate 2 picked.
        examples: what it was trained on, for the lineage and for warm-up requests.
        schema: gives the classes.
        data_verdict: of the data gate.
        model_verdict: of the Evaluator gate.
        release: the result, `push.json`: version, digest, whether anything was written, and a message.
        model_name: the model's folder in the bucket.
        push_config: JSON of `PushConfig`.
        label: the label's feature name.
        split_rule: JSON of the rule by which the examples were split, recorded in the release.
        lineage: JSON recorded in the release as it is.
        code_digest: part of the cache key.
        optimize_verdict: of Gate 2, if the graph has it.
        canary_verdict: of Gate 3, if the graph has it.
        latest: the newest release, set by the driver; part of the cache key.
    """
    del code_digest, latest
    config = PushConfig.model_validate_json(push_config)
    gates = (data_verdict, model_verdict, optimize_verdict, canary_verdict)
    verdicts = [read_verdict(verdict.uri) for verdict in gates if verdict is not None]
    folder = Path(release.uri)
    folder.mkdir(parents=True, exist_ok=True)
    engine = open_engine(Path(model.uri) / SERVING, EngineOptions())
    signatures = engine.signatures
    engine.close()
    warmup = folder / Path(WARMUP_FILE).name
    signature = signatures[DEFAULT_SIGNATURE]
    real, _ = golden_examples(example_files(examples.uri, "eval"), signature, 8)
    if real:
        write_warmup(model_name, signature, real, (1, 8), warmup)
    try:
        outcome = push(
            config.bucket,
            model_name,
            Path(model.uri) / SERVING,
            approved=approved(verdicts),
            verdicts=[verdict.model_dump(mode="json") for verdict in verdicts],
            lineage={
                **json.loads(lineage),
                CANDIDATE_DIGEST: verdicts[1].digest,
                "data_fingerprint": examples.get_string_custom_property(FINGERPRINT_PROPERTY_NAME),
            },
            variant=model.get_string_custom_property(VARIANT_PROPERTY) or FLOAT,
            signatures=sorted(signatures),
            classes=classes_of(read_schema(Path(schema.uri) / SCHEMA_FILE), label),
            inputs={name: spec.dtype for name, spec in signature.inputs.items()},
            split=json.loads(split_rule),
            keep=config.keep,
            warmup=warmup if real else None,
        )
        done = PushOutcome(
            version=outcome.release.version,
            digest=outcome.release.digest,
            written=outcome.written,
            message=outcome.message,
        )
    except WithdrawnError as error:
        done = PushOutcome(version=None, digest=verdicts[-1].digest, written=False, message=str(error))
    write_outcome(done, folder)


Pusher.DRIVER_CLASS = PusherDriver
