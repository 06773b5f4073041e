"""What was read and what was refused: counted in the workers, merged, judged once at the end."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from components.ingest.config import DataConfig
from components.ingest.rows import BadRow, DataError
from components.ingest.target import alike, target_fault
from components.names import INGEST_FILE

KEPT_BAD_ROWS = 20
KEPT_NAMES = 10
MAX_LABELS = 10_000


class Report:
    """Rows by split and label, the first bad rows, and what was skipped; merging is associative, so parts join.

    Args:
        skipped: files that are not read.
        notes: what else is left out, in words.
    """

    def __init__(self, skipped: Sequence[str] = (), notes: Sequence[str] = ()) -> None:
        self.skipped_files = len(skipped)
        self.skipped = sorted(skipped)[:KEPT_NAMES]
        self.notes = list(notes)
        self.converted: Counter[str] = Counter()
        self.labels: Counter[tuple[str, str]] = Counter()
        self.bad_rows = 0
        self.bad: list[BadRow] = []
        self.broken: list[str] = []

    def add(self, split: str, label: str, converted: str = "") -> None:
        """Count a good row, and what it was converted from, if it was.

        Raises:
            DataError: there are more than 10,000 different labels, so the label is the wrong column.
        """
        self.labels[split, label] += 1
        if converted:
            self.converted[converted] += 1
        if len(self.labels) > 3 * MAX_LABELS:
            raise DataError(
                f"more than {MAX_LABELS} different labels, such as {label!r}: is data.label the right one?"
            )

    def refuse(self, bad: BadRow) -> None:
        """Count a bad row."""
        self.bad_rows += bad.rows
        if len(self.bad) < KEPT_BAD_ROWS:
            self.bad.append(bad)

    def skip(self, source: str) -> None:
        """Count a file that is not read, because it is none of the data."""
        self.skipped_files += 1
        if len(self.skipped) < KEPT_NAMES:
            self.skipped.append(source)

    def give_up(self, error: DataError) -> None:
        """Record a file that is unusable as a whole. It is raised only at the end: runners garble workers' errors."""
        self.broken.append(str(error))

    def as_json(self, config: DataConfig) -> dict[str, Any]:
        """Return the content of `ingest.json`: rows by split and label, bad rows, what was skipped, broken files."""
        names = config.split_names()
        labels: dict[str, dict[str, int]] = {name: {} for name in names}
        for (split, label), count in sorted(self.labels.items()):
            labels[split][label] = count
        return {
            "rows": {name: sum(labels[name].values()) for name in names},
            "labels": labels,
            "bad_rows": self.bad_rows,
            "first_bad_rows": [bad._asdict() for bad in self.bad],
            "skipped_files": self.skipped_files,
            "first_skipped_files": self.skipped,
            "converted": dict(sorted(self.converted.items())),
            "notes": [*self.notes, *alike({label for _, label in self.labels})],
            "broken": self.broken,
        }


def merge(reports: Iterable[Report]) -> Report:
    """Join reports; the first 20 bad rows by file and row are kept, whatever the order of the parts."""
    total = Report()
    for report in reports:
        total.labels.update(report.labels)
        total.bad_rows += report.bad_rows
        total.bad = sorted([*total.bad, *report.bad])[:KEPT_BAD_ROWS]
        total.skipped_files += report.skipped_files
        total.skipped = sorted([*total.skipped, *report.skipped])[:KEPT_NAMES]
        total.converted.update(report.converted)
        total.notes += report.notes
        total.broken = sorted([*total.broken, *report.broken])
    return total


def sentence(summary: dict[str, Any]) -> str:
    """Say in one line what was read, what was refused and what was skipped."""
    parts = ["rows: " + ", ".join(f"{split} {count:,}" for split, count in summary["rows"].items())]
    if summary["bad_rows"]:
        first = summary["first_bad_rows"][0]
        where = f"{first['source']}, row {first['row']}: {first['reason']}"
        parts.append(f"{summary['bad_rows']:,} refused, the first {where} (more in {INGEST_FILE})")
    if count := summary["skipped_files"]:
        first = [name.rsplit("/", 1)[-1] for name in summary["first_skipped_files"]]
        more = f" and {count - len(first):,} more" if count > len(first) else ""
        parts.append(f"{count:,} file{'s' * (count > 1)} skipped: {', '.join(first)}{more}")
    if kinds := summary["converted"]:
        parts.append("converted to PNG: " + ", ".join(f"{count:,} {kind}" for kind, count in kinds.items()))
    return "; ".join([*parts, *summary["notes"]])


def judge(summary: dict[str, Any], config: DataConfig) -> None:
    """Refuse data with broken files, too many bad rows, an empty split, or no classes to learn.

    Args:
        summary: what `Report.as_json` gave.
        config: the data's configuration.

    Raises:
        DataError: with the first bad rows, each by file, row and reason.
    """
    if broken := summary["broken"]:
        raise DataError("\n".join(broken))
    good, bad = sum(summary["rows"].values()), summary["bad_rows"]
    if bad > config.max_bad_share * (good + bad):
        first = summary["first_bad_rows"]
        lines = [f"  {row['source']}, row {row['row']}: {row['reason']}" for row in first]
        more = bad - sum(row["rows"] for row in first)
        if more > 0:
            lines.append(f"  and {more} more")
        raise DataError(
            f"{bad} of {good + bad} rows are bad ({bad / (good + bad):.2%}; data.max_bad_share allows "
            f"{config.max_bad_share:.2%}). Fix them, or raise data.max_bad_share:\n" + "\n".join(lines)
        )
    counts: Counter[str] = Counter()
    for found in summary["labels"].values():
        counts.update(found)
    if config.classes is None and (fault := target_fault(config.label, counts)):
        raise DataError(fault)
    if empty := [split for split, count in summary["rows"].items() if not count]:
        way = (
            "change the dates of data.split_by_time"
            if config.split_by_time
            else "name a file that has some in data.splits"
            if config.splits
            else "change data.ratios"
        )
        raise DataError(
            f"split {', '.join(empty)} has no rows (of {good} in total). Use more data, or {way}."
        )
    if len(summary["labels"]["train"]) < 2:
        raise DataError(
            f"the train split has one label only: {list(summary['labels']['train'])}. Check data.label."
        )
