"""Gate 2 as a whole: build the variants, predict once, judge, measure, pick."""

import logging
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.evaluate import metrics
from components.evaluate.answers import read_answers
from components.evaluate.config import EvaluateConfig
from components.evaluate.estimates import compare, with_intervals
from components.evaluate.gate import metric_of, wanted
from components.evaluate.paired import LEVEL
from components.evaluate.predict import write_predictions
from components.names import FLOAT, OPTIMIZE_GATE, PREDICTIONS_FILE
from components.optimize import gate, preprocessing
from components.optimize.config import OptimizeConfig
from components.optimize.measure import MeasureJob, Measurement
from components.optimize.parent import Parent
from components.optimize.pick import Worse, pick
from components.optimize.predictions import agreement
from components.optimize.table import Row
from components.optimize.worker import Built, build_all
from components.outputs import output_check
from components.preprocess.config import PreprocessConfig
from components.push.config import PushFormat
from components.raw import read_examples
from components.verdict import Verdict, undecided
from serving.engine.base import Engine
from serving.engine.open import LITERT_FILE, EngineOptions, open_engine
from serving.errors import ServingError
from serving.release.digest import file_digests, model_digest

#: Raw examples on which the two forms of preprocessing are compared.
COMPARED = 200
log = logging.getLogger("slipway.optimize")


@dataclass(frozen=True)
class OptimizerInputs:
    """What is optimized, and how it is judged.

    Attributes:
        parent: the float model.
        config: the `optimize:` section.
        evaluate: the `evaluate:` section: metrics, slices, bounds.
        preprocess: the `preprocess:` section.
        files: raw examples of the evaluation split.
        beam_pipeline: where TFMA runs; it runs once.
        folder: where predictions and metrics are kept.
        variants: where the variants are built, each in a folder with the layout of a release.
        push_format: which server loads what is released.
    """

    parent: Parent
    config: OptimizeConfig
    evaluate: EvaluateConfig
    preprocess: PreprocessConfig
    files: Sequence[str]
    beam_pipeline: Any
    folder: Path
    variants: Path
    push_format: PushFormat = "slipway"


def optimize(inputs: OptimizerInputs) -> tuple[list[Row], Verdict, Path | None]:
    """Build and judge every variant.

    Returns:
        The table, the float model first; the verdict; and the folder of what is to be released, None if nothing
        passed and `on_failure` is stop.
    """
    inputs.folder.mkdir(parents=True, exist_ok=True)
    prepared = inputs.variants / "preprocessing-of-litert"
    # The thread only waits for the process that builds.
    with ThreadPoolExecutor(1) as pool:
        building = pool.submit(build_all, inputs.parent, inputs.config, inputs.push_format, inputs.variants)
        said = _prepare(inputs, prepared)
        built = building.result()
    notes = [f"LiteRT variants: {said}"] if _finish(inputs, built, prepared) else []
    folders = {FLOAT: Path(inputs.parent.saved_model)}
    folders |= {one.chain: inputs.variants / one.chain for one in built if not one.skipped}
    engines, broken = _load(folders)
    built = [one.model_copy(update={"skipped": broken.get(one.chain, one.skipped)}) for one in built]
    folders = {name: folders[name] for name in engines}
    places = {name: str(folder) for name, folder in folders.items()}
    job = MeasureJob(folders=places, files=tuple(inputs.files), seconds=inputs.config.measured_seconds)
    measurement = Measurement(job, inputs.folder)
    try:
        rows, worse = _judge(inputs, engines, folders, built, measurement)
    finally:
        measurement.close()
        for engine in engines.values():
            engine.close()
    return _decide(inputs, rows, worse, folders, notes)


def _prepare(inputs: OptimizerInputs, target: Path) -> str:
    records = [example.SerializeToString() for example in read_examples(inputs.parent.raw_files, COMPARED)]
    return preprocessing.write(inputs.parent, inputs.preprocess, records, target)


def _finish(inputs: OptimizerInputs, built: Sequence[Built], prepared: Path) -> bool:
    """Put the preprocessing beside every LiteRT model, so that its folder is a complete release."""
    lite = [
        inputs.variants / one.chain for one in built if (inputs.variants / one.chain / LITERT_FILE).exists()
    ]
    for folder in lite:
        shutil.copytree(prepared, folder, dirs_exist_ok=True)
    return bool(lite)


def _load(folders: dict[str, Path]) -> tuple[dict[str, Engine], dict[str, str]]:
    """Load every variant as the server does; also return the reason for each one that does not load."""
    engines: dict[str, Engine] = {}
    broken: dict[str, str] = {}
    shared: dict[str, Engine] = {}
    for name, folder in folders.items():
        try:
            engines[name] = open_engine(folder, EngineOptions(), shared)
        except (ServingError, ValueError, RuntimeError) as error:
            if name == FLOAT:
                raise
            broken[name] = f"the server cannot load it: {str(error)[:200]}"
    return engines, broken


def _judge(
    inputs: OptimizerInputs,
    engines: dict[str, Engine],
    folders: dict[str, Path],
    built: Sequence[Built],
    measurement: Measurement,
) -> tuple[list[Row], Worse]:
    classes, evaluate = inputs.parent.classes, inputs.evaluate
    log.info("predicting with %s", ", ".join(engines))
    predictions = inputs.folder / PREDICTIONS_FILE
    faults = write_predictions(
        inputs.files,
        engines,
        classes,
        inputs.parent.label,
        evaluate.slice_features,
        evaluate.batch_size,
        predictions,
        quantized=[name for name in engines if name != FLOAT],
    )
    # Metrics of what is not a probability mean nothing, and may not even be computed.
    sound = [name for name in engines if not faults[name].count]
    log.info("computing metrics")
    wants = wanted(evaluate, classes)
    metrics.compute(
        inputs.beam_pipeline,
        predictions,
        metrics.eval_config(sound, wants, evaluate.slice_features, len(classes)),
        inputs.folder,
    )
    answers = read_answers(predictions, sound, len(classes), evaluate.slice_features)
    results = with_intervals(metrics.load(inputs.folder, sound), wants, answers)
    log.info("measuring size and speed")
    measured = measurement.result()
    seconds = {one.chain: one.seconds for one in built}
    rows = []
    for name in engines:
        alike, largest = agreement(predictions, name, FLOAT)
        judged = (
            gate.quality_checks(name, evaluate, inputs.config, classes, results, answers)
            if name in sound
            else []
        )
        found = [
            output_check(faults[name]),
            *judged,
            *gate.agreement_checks(alike, inputs.config),
            *gate.budget_checks(measured[name], inputs.config),
        ]
        values = results[()].get(name, {})
        rows.append(
            Row(
                name=name,
                seconds=seconds.get(name, 0.0),
                digest=model_digest(file_digests(folders[name])),
                quality={
                    t.name: values[key].value
                    for t in evaluate.thresholds
                    if (key := metric_of(t, classes).key) in values
                },
                worst_slice_drop=gate.worst_slice_drop(judged, evaluate.min_examples),
                agreement=alike,
                largest_difference=largest,
                measured=measured[name],
                checks=tuple(found),
                passed=not any(check.status == "failed" for check in found),
            )
        )
    skipped = [Row(name=one.chain, skipped=one.skipped, seconds=one.seconds) for one in built if one.skipped]
    quality = metric_of(evaluate.thresholds[0], classes)

    def worse(one: str, other: str) -> bool:
        found = compare(quality, answers, one, other, answers.rows(()))
        return found is not None and found.chance() < LEVEL

    return rows + skipped, worse


def _decide(
    inputs: OptimizerInputs, rows: list[Row], worse: Worse, folders: dict[str, Path], notes: list[str]
) -> tuple[list[Row], Verdict, Path | None]:
    picked = pick(rows, inputs.evaluate, inputs.config, worse)
    name = picked[0] if picked else None
    notes += [f"{row.name} was skipped: {row.skipped}" for row in rows if row.skipped]
    chosen = name or (FLOAT if inputs.config.on_failure == FLOAT else None)
    if picked is None:
        kept = (
            "the float model is released as it is"
            if chosen
            else "so nothing is released (optimize.on_failure)"
        )
        notes.insert(0, f"WARNING: no variant passed, {kept}")
        log.warning("%s", notes[0])
    else:
        judged = next(row.checks for row in rows if row.name == name)
        notes.insert(0, f"{picked[1]}{undecided(judged)}")
    rows = [row.model_copy(update={"picked": row.name == chosen}) for row in rows]
    parent = rows[0].digest
    verdict = Verdict(
        gate=OPTIMIZE_GATE,
        passed=chosen is not None,
        digest=next((row.digest for row in rows if row.picked), parent),
        baseline_digest=parent,
        checks=tuple(gate.prefixed(rows)),
        summary=notes[0],
        notes=tuple(notes[1:]),
    )
    return rows, verdict, folders[chosen] if chosen else None
