"""The table of variants, a row for each, the skipped ones too. `slipway why` and the picture read it."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field, TypeAdapter

from components.config import Section
from components.names import VARIANTS_FILE
from components.verdict import Check


class Measured(Section):
    """Size and speed. Latencies are of one call from raw features to answers, in one thread."""

    bytes: int
    gzip_bytes: int
    p50_us: float
    p99_us: float
    examples_per_second: float


class Row(Section):
    """A variant, or the reason why it was skipped.

    Attributes:
        name: of the technique or chain; `float` for the parent.
        skipped: why it was not built.
        seconds: time to build it.
        digest: of its release's files.
        quality: metric name → value on all examples, in the order of the thresholds.
        worst_slice_drop: the largest loss of any metric with a threshold against the parent, on a slice with enough
            examples, and which metric and slice.
        agreement: share of examples answered as the parent does.
        largest_difference: between any probability and the parent's.
        measured: size and speed.
        checks: everything that was checked.
        passed: none of the checks failed.
        picked: it is the one to be released.
    """

    name: str
    skipped: str | None = None
    seconds: float = 0.0
    digest: str = ""
    quality: dict[str, float] = Field(default_factory=dict)
    worst_slice_drop: tuple[float, str] | None = None
    agreement: float = 1.0
    largest_difference: float = 0.0
    measured: Measured | None = None
    checks: tuple[Check, ...] = ()
    passed: bool = False
    picked: bool = False


_ROWS = TypeAdapter(tuple[Row, ...])


def write_rows(rows: list[Row], folder: Path) -> None:
    """Write `variants.json` into an artifact's folder."""
    (folder / VARIANTS_FILE).write_bytes(_ROWS.dump_json(tuple(rows), indent=1))


def read_rows(folder: str | Path) -> tuple[Row, ...]:
    """Read `variants.json` of an artifact's folder.

    Raises:
        FileNotFoundError: there is none.
    """
    return _ROWS.validate_json((Path(folder) / VARIANTS_FILE).read_bytes())


def as_text(rows: Sequence[Row]) -> str:
    """Format the table as Markdown."""
    head, *body = cells(rows)
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *body))


def cells(rows: Sequence[Row]) -> list[list[str]]:
    """Format the table's cells, the headings first."""
    parent = next(row.measured for row in rows if row.measured)
    metrics = list(dict.fromkeys(name for row in rows for name in row.quality))
    head = [
        "variant",
        *metrics,
        "worst slice",
        "agrees",
        "bytes",
        "gzip",
        "p50 µs",
        "p99 µs",
        "examples/s",
        "outcome",
    ]
    lines = [head]
    for row in rows:
        if row.measured is None:
            lines.append([row.name, *["–"] * (len(head) - 2), f"skipped: {row.skipped}"])
            continue
        m = row.measured
        lines.append(
            [
                row.name,
                *(f"{row.quality[name]:.4f}" if name in row.quality else "–" for name in metrics),
                f"{0.0 - row.worst_slice_drop[0]:+.4f}" if row.worst_slice_drop else "–",
                f"{row.agreement:.2%}",
                f"{m.bytes:,} ({parent.bytes / m.bytes:.1f}×)",
                f"{m.gzip_bytes:,}",
                f"{m.p50_us:,.0f} ({parent.p50_us / m.p50_us:.1f}×)",
                f"{m.p99_us:,.0f}",
                f"{m.examples_per_second:,.0f}",
                outcome(row),
            ]
        )
    return lines


def outcome(row: Row) -> str:
    """Describe the outcome of a variant in a few words."""
    if row.skipped:
        return f"skipped: {row.skipped}"
    if row.picked:
        return "picked" if row.passed else "picked, because nothing passed"
    failed = [check for check in row.checks if check.status == "failed"]
    return f"refused: {failed[0].sentence()}" if failed else "passed"
