"""The TFX component of Gate 1: the candidate against its bounds and against the latest release."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
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
from components.evaluate.answers import confusion_matrix, read_answers
from components.evaluate.baseline import exported_digest
from components.evaluate.config import EvaluateConfig
from components.evaluate.estimates import compare, with_intervals
from components.evaluate.gate import checks, slice_name, wanted
from components.evaluate.paired import Comparison
from components.evaluate.predict import ModelRunError, write_predictions
from components.evaluate.released import Released, comparison_check, obstacle, open_released, remarks
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
from components.outputs import OutputFaults, output_check
from components.raw import example_files
from components.schema.text import classes_of, read_schema
from components.verdict import Check, judge, write_verdict
from serving.engine.base import Engine
from serving.engine.open import EngineOptions, open_engine

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
    split_rule: Parameter[str],
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
        split_rule: JSON of the rule by which the data is split, to compare with that of the latest release.
        label: the label's feature name.
        code_digest: part of the cache key.
        beam_pipeline: where TFMA runs.
    """
    del code_digest
    config = EvaluateConfig.model_validate_json(evaluate_config)
    known = read_schema(Path(schema.uri) / SCHEMA_FILE)
    classes = classes_of(known, label)
    wants = wanted(config, classes)
    folder = Path(evaluation.uri)
    folder.mkdir(parents=True, exist_ok=True)
    candidate = open_engine(Path(model.uri) / SERVING, EngineOptions())
    fetched = Path(baseline.uri) / RELEASED
    released = open_released(fetched) if fetched.exists() else None
    try:
        predicted = _predict(
            candidate, released, known, classes, example_files(examples.uri, split), label, config, folder
        )
    finally:
        candidate.close()
        if released:
            released.engine.close()
    digest = exported_digest(model.uri)
    against: dict[str, Any] = {}
    found = [output_check(predicted.faults)]
    notes: list[str] = []
    if not released:
        notes.append("nothing is released yet, so only the absolute bounds were checked")
    elif predicted.obstacle:
        found.append(comparison_check(released, predicted.obstacle, config.baseline_waiver))
    else:
        against = {"baseline_digest": released.release.digest, "baseline_version": released.release.version}
        notes += remarks(released, classes, json.loads(split_rule))
    # No metric of what is not a probability means anything, and some would look good.
    if not predicted.faults.count:
        log.info("computing metrics")
        own = released.classes(classes) if released and not predicted.obstacle else None
        found += _judge(beam_pipeline, folder, config, classes, own, wants)
    write_verdict(judge(EVALUATE_GATE, digest, found, notes=tuple(notes), **against), verdict.uri)


@dataclass(frozen=True)
class _Predicted:
    """Attributes: the faults of the candidate's answers, and why it is not compared, "" if it is."""

    faults: OutputFaults
    obstacle: str


def _predict(
    candidate: Engine,
    released: Released | None,
    schema: Any,
    classes: Sequence[str],
    files: Sequence[str],
    label: str,
    config: EvaluateConfig,
    folder: Path,
) -> _Predicted:
    """Write the predictions of the candidate and, if it can be compared with, of the release."""

    def write(models: Mapping[str, Engine]) -> dict[str, OutputFaults]:
        log.info("predicting with %s", " and ".join(models))
        return write_predictions(
            files,
            models,
            classes,
            label,
            config.slice_features,
            config.batch_size,
            folder / PREDICTIONS_FILE,
            quantized=(BASELINE,),
            own_classes={BASELINE: released.classes(classes)} if released else {},
        )

    reason = obstacle(released, files, schema, classes) if released else ""
    if released and not reason:
        try:
            faults = write({CANDIDATE: candidate, BASELINE: released.engine})
            return _Predicted(faults[CANDIDATE], faults[BASELINE].sentence())
        except ModelRunError as error:
            if error.model != BASELINE:
                raise
            reason = str(error)
    return _Predicted(write({CANDIDATE: candidate})[CANDIDATE], reason)


def _judge(
    beam_pipeline: Any,
    folder: Path,
    config: EvaluateConfig,
    classes: Sequence[str],
    own: Sequence[str] | None,
    wants: Sequence[metrics.Wanted],
) -> list[Check]:
    """Compute the metrics, write them, and check them; `own` are the classes of the release compared with, if any."""
    predictions, slices = folder / PREDICTIONS_FILE, config.slice_features
    models = [CANDIDATE] if own is None else [CANDIDATE, BASELINE]
    answers = read_answers(predictions, models, len(classes), slices)
    # TFMA has no notion of a class that is not among the others.
    alike = [CANDIDATE] if own is None or set(own) != set(classes) else models
    metrics.compute(
        beam_pipeline, predictions, metrics.eval_config(alike, wants, slices, len(classes)), folder
    )
    results = with_intervals(metrics.load(folder, alike), wants, answers)
    matrices = {name: confusion_matrix(answers, name).tolist() for name in models}
    _write_metrics(folder, results, classes, matrices)
    if own is None:
        return checks(config, classes, results)
    both = [index for index, name in enumerate(classes) if name in own]

    def compared(want: metrics.Wanted, where: metrics.Slice) -> Comparison | None:
        rows = answers.rows(where) & np.isin(answers.labels, both)
        return compare(want, answers, CANDIDATE, BASELINE, rows, both)

    return checks(config, classes, results, compared)


def _write_metrics(
    folder: Path, results: metrics.Results, classes: Sequence[str], matrices: Mapping[str, list[list[int]]]
) -> None:
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
        "confusion_matrix": matrices,
    }
    (folder / METRICS_FILE).write_text(json.dumps(written))
