"""The whole of Gate 2: build, predict once, judge, measure, pick."""

import logging
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.evaluate import metrics
from components.evaluate.config import EvaluateConfig
from components.evaluate.gate import wanted
from components.evaluate.predict import write_predictions
from components.optimize import gate, light
from components.optimize.config import FLOAT, OptimizeConfig
from components.optimize.litert import FILE
from components.optimize.measure import Job, Measurement
from components.optimize.parent import Parent
from components.optimize.predictions import agreement
from components.optimize.table import Row
from components.optimize.worker import Built, build_all
from components.preprocess.config import PreprocessConfig
from components.push.config import Format
from components.raw import read_examples
from components.verdict import Verdict
from serving.engine.base import Engine
from serving.engine.open import EngineOptions, open_engine
from serving.errors import ServingError
from serving.release.digest import file_digests, model_digest

GATE = "optimize"
#: Raw examples on which the two forms of preprocessing are compared.
COMPARED = 200
PREDICTIONS = "predictions.arrow"
log = logging.getLogger("slipway.optimize")


@dataclass(frozen=True)
class Task:
    """What is optimized, and how it is judged.

    Attributes:
        parent: the float model.
        config: the `optimize:` section.
        evaluate: the `evaluate:` section: metrics, slices, bounds.
        preprocess: the `preprocess:` section.
        files: raw examples of the evaluation split.
        beam_pipeline: where TFMA runs; it is used up.
        folder: where predictions and metrics are kept.
        variants: where the variants are built; one folder each, a release by its layout.
        push_format: who is to load what is released.
    """

    parent: Parent
    config: OptimizeConfig
    evaluate: EvaluateConfig
    preprocess: PreprocessConfig
    files: Sequence[str]
    beam_pipeline: Any
    folder: Path
    variants: Path
    push_format: Format = "slipway"


def optimize(task: Task) -> tuple[list[Row], Verdict, Path | None]:
    """Build and judge every variant.

    Returns:
        The table, the float model first; the verdict; and the folder of what is to be released, None where
        nothing passed and `on_failure` says stop.
    """
    task.folder.mkdir(parents=True, exist_ok=True)
    prepared = task.variants / "preprocessing-of-litert"
    with ThreadPoolExecutor(
        1
    ) as pool:  # the building is done by another process, which is waited for meanwhile
        building = pool.submit(build_all, task.parent, task.config, task.push_format, task.variants)
        said = _prepare(task, prepared)
        built = building.result()
    notes = [f"LiteRT variants: {said}"] if _finish(task, built, prepared) else []
    folders = {FLOAT: Path(task.parent.saved_model)}
    folders |= {one.chain: task.variants / one.chain for one in built if not one.skipped}
    engines, broken = _load(folders)
    built = [one.model_copy(update={"skipped": broken.get(one.chain, one.skipped)}) for one in built]
    folders = {name: folders[name] for name in engines}
    places = {name: str(folder) for name, folder in folders.items()}
    job = Job(folders=places, files=tuple(task.files), seconds=task.config.measured_seconds)
    measurement = Measurement(job, task.folder)
    try:
        rows = _judge(task, engines, folders, built, measurement)
    finally:
        measurement.close()
        for engine in engines.values():
            engine.close()
    return _decide(task, rows, folders, notes)


def _prepare(task: Task, target: Path) -> str:
    records = [example.SerializeToString() for example in read_examples(task.parent.raw_files, COMPARED)]
    return light.write(task.parent, task.preprocess, records, target)


def _finish(task: Task, built: Sequence[Built], prepared: Path) -> bool:
    """Put the preprocessing beside every LiteRT model, so that its folder is a whole release."""
    lite = [task.variants / one.chain for one in built if (task.variants / one.chain / FILE).exists()]
    for folder in lite:
        shutil.copytree(prepared, folder, dirs_exist_ok=True)
    return bool(lite)


def _load(folders: dict[str, Path]) -> tuple[dict[str, Engine], dict[str, str]]:
    """Load every variant as the server does; those that it refuses, with the reason."""
    engines: dict[str, Engine] = {}
    broken: dict[str, str] = {}
    for name, folder in folders.items():
        try:
            engines[name] = open_engine(folder, EngineOptions())
        except (ServingError, ValueError, RuntimeError) as error:
            if name == FLOAT:
                raise
            broken[name] = f"the server cannot load it: {str(error)[:200]}"
    return engines, broken


def _judge(
    task: Task,
    engines: dict[str, Engine],
    folders: dict[str, Path],
    built: Sequence[Built],
    measurement: Measurement,
) -> list[Row]:
    classes, evaluate = task.parent.classes, task.evaluate
    log.info("predicting with %s", ", ".join(engines))
    predictions = task.folder / PREDICTIONS
    write_predictions(
        task.files,
        engines,
        classes,
        task.parent.label,
        evaluate.slice_features,
        evaluate.batch_size,
        predictions,
    )
    log.info("computing metrics")
    wants = wanted(evaluate, classes)
    metrics.compute(
        task.beam_pipeline,
        predictions,
        metrics.eval_config(list(engines), wants, evaluate.slice_features, len(classes), intervals=False),
        task.folder,
    )
    results = metrics.load(task.folder, list(engines))
    log.info("measuring size and speed")
    measured = measurement.result()
    seconds = {one.chain: one.seconds for one in built}
    rows = []
    for name in engines:
        alike, largest = agreement(predictions, name, FLOAT)
        quality = gate.quality_checks(name, evaluate, task.config, classes, results)
        found = [
            *quality,
            *gate.agreement_checks(alike, task.config),
            *gate.budget_checks(measured[name], task.config),
        ]
        values = results[()][name]
        rows.append(
            Row(
                name=name,
                seconds=seconds.get(name, 0.0),
                digest=model_digest(file_digests(folders[name])),
                quality={
                    t.name: values[key].value
                    for t in evaluate.thresholds
                    if (key := _key(t, classes)) in values
                },
                worst_slice_drop=gate.worst_slice_drop(quality),
                agreement=alike,
                largest_difference=largest,
                measured=measured[name],
                checks=tuple(found),
                passed=not any(check.status == "failed" for check in found),
            )
        )
    skipped = [Row(name=one.chain, skipped=one.skipped, seconds=one.seconds) for one in built if one.skipped]
    return rows + skipped


def _key(threshold: Any, classes: Sequence[str]) -> str:
    name = threshold.class_name
    return metrics.Wanted(threshold.metric, None if name is None else list(classes).index(name)).key


def _decide(
    task: Task, rows: list[Row], folders: dict[str, Path], notes: list[str]
) -> tuple[list[Row], Verdict, Path | None]:
    name = gate.pick(rows, task.evaluate, task.config)
    notes += [f"{row.name} was skipped: {row.skipped}" for row in rows if row.skipped]
    chosen = name or (FLOAT if task.config.on_failure == "float" else None)
    if name is None:
        kept = (
            "the float model is released as it is"
            if chosen
            else "so nothing is released (optimize.on_failure)"
        )
        notes.insert(0, f"WARNING: no variant passed, {kept}")
        log.warning("%s", notes[0])
    else:
        notes.insert(0, f"picked {name}: the best {task.config.objective} among those that passed")
    rows = [row.model_copy(update={"picked": row.name == chosen}) for row in rows]
    parent = rows[0].digest
    verdict = Verdict(
        gate=GATE,
        passed=chosen is not None,
        digest=next((row.digest for row in rows if row.picked), parent),
        baseline_digest=parent,
        checks=tuple(gate.prefixed(rows)),
        summary=notes[0],
        notes=tuple(notes[1:]),
    )
    return rows, verdict, folders[chosen] if chosen else None
