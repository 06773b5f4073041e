"""`slipway why`: verdicts in plain words, a pass and a fail alike."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from components.names import CANARY_GATE, CANDIDATE, DATA_GATE, EVALUATE_GATE, METRICS_FILE, OPTIMIZE_GATE
from components.optimize.table import cells, read_rows
from components.verdict import Check, Verdict
from pipeline.config import Config
from pipeline.summary import Summary, read_summary
from serving.release.record import read_release

_GATES = {
    DATA_GATE: "The data",
    EVALUATE_GATE: "The model (Gate 1)",
    OPTIMIZE_GATE: "The optimized variants (Gate 2)",
    CANARY_GATE: "In a server (Gate 3)",
}
#: A wider confusion matrix would not fit a terminal.
_MOST_CLASSES = 16
_MARKS = {"passed": ("✓", "green"), "failed": ("✗", "bold red"), "undecided": ("–", "yellow")}


def explain(console: Console, config: Config, what: str | None) -> None:
    """Explain a released version (a number), a run (its name), or the model's latest run (None)."""
    if what and what.isdigit():
        _explain_version(console, config, int(what))
    else:
        _explain_run(console, read_summary(config.runs, what, None if what else config.model_name))


def _explain_version(console: Console, config: Config, version: int) -> None:
    release = read_release(config.push.bucket, config.model_name, version)
    console.print(Text(f"{config.model_name} version {version}, released {release.created}", "bold"))
    if release.rollback:
        console.print(
            f"It is version {release.rollback.to_version}'s model again: {release.rollback.by} rolled back from "
            f"version {release.rollback.from_version} on {release.rollback.time}"
            + (f" because: {release.rollback.reason}" if release.rollback.reason else "")
        )
    show_verdicts(console, [Verdict.model_validate(verdict) for verdict in release.verdicts])


def _explain_run(console: Console, summary: Summary) -> None:
    console.print(Text(f"Run {summary.run_id} of {summary.model_name}: {summary.outcome}", "bold"))
    console.print(summary.message, soft_wrap=True)
    optimization = summary.outputs.get("Optimizer", {}).get("optimization")
    show_verdicts(console, summary.verdicts, optimization)
    evaluation = summary.outputs.get("Evaluator", {}).get("evaluation")
    if evaluation and (metrics := Path(evaluation) / METRICS_FILE).is_file():
        show_confusion(console, json.loads(metrics.read_text()))


def show_confusion(console: Console, metrics: Any) -> None:
    """Draw the candidate's confusion matrix; of many classes, only the pairs that it confuses most."""
    classes, matrix = metrics["classes"], metrics["confusion_matrix"][CANDIDATE]
    console.print()
    if len(classes) > _MOST_CLASSES:
        pairs = [(n, i, j) for i, row in enumerate(matrix) for j, n in enumerate(row) if n and i != j]
        console.print(Text("Most often confused:", "bold"))
        for count, actual, chosen in sorted(pairs, reverse=True)[:10]:
            console.print(Text(f"  {classes[actual]} taken for {classes[chosen]}: {count}"))
        return
    console.print(Text("Confusion matrix, truth by row, answer by column:", "bold"))
    table = Table(box=None, pad_edge=True, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("", style="dim", justify="right")
    for name in classes:
        table.add_column(name, justify="right")
    for index, (name, row) in enumerate(zip(classes, matrix, strict=True)):
        cells = [
            Text(str(n) if n else "·", "green" if i == index else "red" if n else "dim")
            for i, n in enumerate(row)
        ]
        table.add_row(name, *cells)
    console.print(table)


def show_verdicts(console: Console, verdicts: Sequence[Verdict], optimization: str | None = None) -> None:
    """Explain verdicts, Gate 2's by the table of variants in the artifact `optimization`, if it is given."""
    if not verdicts:
        console.print("No gate was reached.")
    for verdict in verdicts:
        console.print()
        passed = Text("passed", "bold green") if verdict.passed else Text("REFUSED", "bold red")
        console.print(Text(f"{_GATES.get(verdict.gate, verdict.gate)}: ", "bold") + passed)
        for note in (verdict.summary, *verdict.notes):
            if note:
                console.print(f"  {note}", style="dim")
        if verdict.baseline_version is not None:
            console.print(f"  compared with version {verdict.baseline_version}", style="dim")
        for check in verdict.failures:
            console.print(f"  {check.sentence()}", style="red", soft_wrap=True)
        numbers = [check for check in verdict.checks if check.bound is not None]
        if verdict.gate == OPTIMIZE_GATE and optimization:
            _show_variants(console, optimization)
        elif numbers:
            console.print(_table(numbers))
            for message, count in Counter(c.message for c in numbers if c.status == "undecided").items():
                console.print(Text(f"  – {count} undecided: {message}", "yellow"), soft_wrap=True)
        for check in verdict.checks:
            if check.bound is None and check.status != "failed":
                mark, style = _MARKS[check.status]
                console.print(Text(f"  {mark} ", style) + Text(check.sentence()))


def _show_variants(console: Console, optimization: str) -> None:
    """Draw the table of variants, because all their checks would be too many to read."""
    rows = read_rows(optimization)
    head, *body = cells(rows)
    table = Table(box=None, pad_edge=True, header_style="dim", padding=(0, 2, 0, 0))
    for index, name in enumerate(head):
        table.add_column(name, justify="left" if index in (0, len(head) - 1) else "right")
    for row, line in zip(rows, body, strict=True):
        style = "bold green" if row.picked else "" if row.passed else "dim" if row.skipped else "red"
        table.add_row(*line, style=style)
    console.print(table)


def _table(checks: Sequence[Check]) -> Table:
    table = Table(box=None, pad_edge=True, header_style="dim", padding=(0, 2, 0, 0))
    for name in ("", "metric", "on"):
        table.add_column(name)
    for name in ("examples", "value", "must be", "margin", "released model"):
        table.add_column(name, justify="right")
    for check in checks:
        mark, style = _MARKS[check.status]
        table.add_row(
            Text(mark, style),
            check.metric,
            check.slice,
            "" if check.examples is None else f"{check.examples:,}",
            _value(check),
            f"{check.direction} {check.bound:.4f}",
            _margin(check),
            "" if check.baseline_value is None else f"{check.baseline_value:.4f}",
        )
    return table


def _value(check: Check) -> str:
    if check.value is None:
        return "none"
    interval = f" ({check.interval[0]:.3f}–{check.interval[1]:.3f})" if check.interval else ""
    return f"{check.value:.4f}{interval}"


def _margin(check: Check) -> Text:
    """Format how far the value is on the right side of its bound (+) or on the wrong one (-)."""
    if check.value is None or check.bound is None:
        return Text("")
    margin = check.value - check.bound if check.direction == "at least" else check.bound - check.value
    return Text(f"{margin:+.4f}", _MARKS[check.status][1])
