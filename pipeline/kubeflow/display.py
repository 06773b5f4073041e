"""What a step shows in Kubeflow's UI: its verdicts as a page, its metrics, the confusion matrix, the variants."""

import io
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kfp import dsl
from rich.console import Console

from components.names import CANDIDATE, METRICS_FILE, OVERALL, TRADEOFF_FILE
from components.verdict import Verdict
from pipeline.kubeflow.steps import Step
from pipeline.local import Result
from pipeline.why import show_verdicts

#: Small enough for the narrow frame in which the UI shows a page.
_PAGE = """<!DOCTYPE html>
<html><head><meta charset="UTF-8"></head>
<body style="color: {foreground}; background: {background}">
<pre style="font: 11px/1.5 monospace">{code}</pre></body></html>
"""
WHY, METRICS, CONFUSION_MATRIX, VARIANTS = "why", "metrics", "confusion_matrix", "tradeoff"


def outputs(step: Step) -> dict[str, str]:
    """Name what a step shows, with KFP's types."""
    named = {}
    if step.has_verdict:
        named[WHY] = "HTML"
    if step.has_verdict or step.has_release:
        named[METRICS] = "Metrics"
    if "Evaluator" in step.stages:
        named[CONFUSION_MATRIX] = "ClassificationMetrics"
    if "Optimizer" in step.stages:
        named[VARIANTS] = "HTML"
    return named


def write(result: Result, paths: Mapping[str, Path]) -> dict[str, dict[str, Any]]:
    """Write the files among the outputs at `paths`, and return the metadata of the outputs by name."""
    metadata: dict[str, dict[str, Any]] = {}
    optimization = result.outputs.get("Optimizer", {}).get("optimization")
    if WHY in paths and result.verdicts:
        _file(paths[WHY]).write_text(_page(result.verdicts, optimization))
        metadata[WHY] = {}
    if VARIANTS in paths and optimization and (Path(optimization) / TRADEOFF_FILE).is_file():
        shutil.copyfile(Path(optimization) / TRADEOFF_FILE, _file(paths[VARIANTS]))
        metadata[VARIANTS] = {}
    if METRICS in paths:
        metadata[METRICS] = _numbers(result)
    evaluation = result.outputs.get("Evaluator", {}).get("evaluation")
    if CONFUSION_MATRIX in paths and evaluation and (Path(evaluation) / METRICS_FILE).is_file():
        metadata[CONFUSION_MATRIX] = _confusion(json.loads((Path(evaluation) / METRICS_FILE).read_text()))
    return metadata


def _file(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _page(verdicts: list[Verdict], optimization: str | None) -> str:
    """Make a page of what `slipway why` prints."""
    console = Console(record=True, file=io.StringIO(), width=120, highlight=False)
    show_verdicts(console, verdicts, optimization)
    return console.export_html(inline_styles=True, code_format=_PAGE)


def _numbers(result: Result) -> dict[str, Any]:
    """Collect what the gates measured over all examples, and what was released."""
    metrics = dsl.Metrics()
    for verdict in result.verdicts:
        for check in verdict.checks:
            if check.value is not None and check.slice == OVERALL:
                metrics.log_metric(check.metric, check.value)
        metrics.log_metric(f"{verdict.gate}_checks_failed", len(verdict.failures))
    if result.pushed is not None and result.pushed.version is not None:
        metrics.log_metric("released_version", result.pushed.version)
    return dict(metrics.metadata)


def _confusion(metrics: Any) -> dict[str, Any]:
    artifact = dsl.ClassificationMetrics()
    artifact.log_confusion_matrix(metrics["classes"], metrics["confusion_matrix"][CANDIDATE])
    return dict(artifact.metadata)
