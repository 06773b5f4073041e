"""The TFX component of Gate 1: the candidate against its bounds and against the latest release."""

import json
import logging
from pathlib import Path

import apache_beam as beam
from tfx.dsl.component.experimental.annotations import (
    BeamComponentParameter,
    InputArtifact,
    OutputArtifact,
    Parameter,
)
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts

from components.artifacts import VerdictArtifact
from components.evaluate import metrics
from components.evaluate.baseline import exported_digest
from components.evaluate.config import EvaluateConfig
from components.evaluate.gate import checks, slice_name, wanted
from components.evaluate.predict import confusion_matrix, write_predictions
from components.names import (
    BASELINE,
    CANDIDATE,
    EVALUATE_GATE,
    METRICS_FILE,
    PREDICTIONS_FILE,
    RELEASED,
    SCHEMA_FILE,
    SERVING,
)
from components.outputs import output_check
from components.raw import example_files
from components.schema.text import classes_of, read_schema
from components.verdict import judge, write_verdict
from serving.engine.base import Engine
from serving.engine.open import EngineOptions, open_engine
from serving.release.record import RELEASE_FILE, Release, parse_release

log = logging.getLogger("slipway.evaluate")


@component(use_beam=True)
def Evaluator(  # noqa: N802  (a component's name is its class name)
    examples: InputArtifact[standard_artifacts.Examples],
    schema: InputArtifact[standard_artifacts.Schema],
    model: InputArtifact[standard_artifacts.Model],
    baseline: InputArtifact[standard_artifacts.Model],
    evaluation: OutputArtifact[standard_artifacts.ModelEvaluation],
    verdict: OutputArtifact[VerdictArtifact],
    evaluate_config: Parameter[str],
    split: Parameter[str],
    label: Parameter[str],
    code_digest: Parameter[str],
    beam_pipeline: BeamComponentParameter[beam.Pipeline] = None,
) -> None:
    """Judge the candidate on raw examples, through its serving signature.

    Args:
        examples: raw examples, so that the preprocessing inside the model is judged too.
        schema: gives the classes.
        model: the candidate.
        baseline: the latest release, or an empty artifact.
        evaluation: the result: predictions, TFMA's own files, `metrics.json` with values, confusion matrix and
            classes.
        verdict: the result in checks.
        evaluate_config: JSON of `EvaluateConfig`.
        split: the split to judge on.
        label: the label's feature name.
        code_digest: part of the cache key.
        beam_pipeline: where TFMA runs.
    """
    del code_digest
    config = EvaluateConfig.model_validate_json(evaluate_config)
    classes = classes_of(read_schema(Path(schema.uri) / SCHEMA_FILE), label)
    wants = wanted(config, classes)
    folder = Path(evaluation.uri)
    folder.mkdir(parents=True, exist_ok=True)
    models, release, notes = _models(model.uri, baseline.uri)
    files = example_files(examples.uri, split)
    log.info("predicting with %s", " and ".join(models))
    predictions = folder / PREDICTIONS_FILE
    try:
        faults = write_predictions(
            files,
            models,
            classes,
            label,
            config.slice_features,
            config.batch_size,
            predictions,
            quantized=(BASELINE,),
        )
    finally:
        for loaded in models.values():
            loaded.close()
    digest = exported_digest(model.uri)
    if faults[CANDIDATE].count:
        # No metric of such answers means anything, and some of them would look good.
        refused = judge(EVALUATE_GATE, digest, [output_check(faults[CANDIDATE])], notes=notes)
        write_verdict(refused, verdict.uri)
        return
    if release and faults[BASELINE].count:
        notes = (*notes, f"not compared with version {release.version}: {faults[BASELINE].sentence()}")
        models, release = {CANDIDATE: models[CANDIDATE]}, None
    log.info("computing metrics")
    metrics.compute(
        beam_pipeline,
        predictions,
        metrics.eval_config(
            list(models), wants, config.slice_features, len(classes), config.confidence_intervals
        ),
        folder,
    )
    results = metrics.load(folder, list(models))
    _write_metrics(folder, results, list(models), classes)
    write_verdict(
        judge(
            EVALUATE_GATE,
            digest,
            [output_check(faults[CANDIDATE]), *checks(config, classes, results)],
            baseline_digest=release.digest if release else None,
            baseline_version=release.version if release else None,
            notes=notes,
        ),
        verdict.uri,
    )


def _models(model: str, baseline: str) -> tuple[dict[str, Engine], Release | None, tuple[str, ...]]:
    """Load the candidate and, if there is one, the baseline, as the server loads them."""
    models = {CANDIDATE: open_engine(Path(model) / SERVING, EngineOptions())}
    released = Path(baseline) / RELEASED
    if not released.exists():
        return models, None, ("nothing is released yet, so only the absolute bounds were checked",)
    record = released / RELEASE_FILE
    release = parse_release(record.read_bytes(), str(record))
    models[BASELINE] = open_engine(released, EngineOptions())
    return models, release, ()


def _write_metrics(folder: Path, results: metrics.Results, models: list[str], classes: list[str]) -> None:
    """Write the numbers that reports need, so that they can do without TFMA."""
    written = {
        "classes": classes,
        "values": [
            {
                "slice": slice_name(key),
                "model": model,
                "metric": name,
                "value": value.value,
                "interval": value.interval,
            }
            for key, by_model in sorted(results.items())
            for model, values in by_model.items()
            for name, value in values.items()
        ],
        "confusion_matrix": {
            model: confusion_matrix(folder / PREDICTIONS_FILE, model, len(classes)).tolist()
            for model in models
        },
    }
    (folder / METRICS_FILE).write_text(json.dumps(written))
