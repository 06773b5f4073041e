"""The verdict: what every gate writes, in one format, so that one command explains them all."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from components.config import Section
from components.names import OVERALL, VERDICT_FILE

Status = Literal["passed", "failed", "undecided"]


class Check(Section):
    """One thing that a gate checked.

    Attributes:
        metric: what was measured.
        slice: the examples on which it was measured.
        status: `undecided` if the examples are too few, or the metric has no value; that never fails a verdict.
        examples: how many examples the slice has.
        value: the metric's value.
        direction: on which side of `bound` the value must be.
        bound: the limit of `value`; in a comparison it is derived from `baseline_value`.
        baseline_value: the same metric of the model compared with.
        interval: the 95 % confidence interval of `value`.
        message: the reason in words, if the numbers do not tell it.
    """

    metric: str
    slice: str = OVERALL
    status: Status
    examples: int | None = None
    value: float | None = None
    direction: Literal["at least", "at most"] | None = None
    bound: float | None = None
    baseline_value: float | None = None
    interval: tuple[float, float] | None = None
    message: str = ""

    def sentence(self) -> str:
        """Describe the check in one line."""
        where = "" if self.slice == OVERALL else f" on {self.slice}"
        if self.value is None or self.bound is None:
            return f"{self.metric}{where}: {self.message or self.status}"
        parts = [f"{self.metric}{where} is {self.value:.4g}"]
        if self.interval:
            parts.append(f"(95 % interval {self.interval[0]:.4g} to {self.interval[1]:.4g})")
        parts.append(f"and must be {self.direction} {self.bound:.4g}")
        if self.baseline_value is not None:
            parts.append(f"(the model compared with has {self.baseline_value:.4g})")
        if self.status == "failed":
            parts.append(f"and misses it by {abs(self.value - self.bound):.4g}")
        if self.examples is not None:
            parts.append(f"[{self.examples:,} examples]")
        return " ".join(parts) + (f"; {self.message}" if self.message else "")


class Verdict(Section):
    """The outcome of one gate for one model (or, for the data gate, for one set of examples).

    Attributes:
        gate: the gate's name.
        passed: whether the run may go on.
        digest: of what was judged.
        checks: everything that was checked.
        baseline_digest: of the model it was compared with, if there was one.
        baseline_version: that model's version, if it is a release.
        summary: the outcome in one line, if the numbers of checks do not tell it.
        notes: more to tell, a line each.
    """

    gate: str
    passed: bool
    digest: str
    checks: tuple[Check, ...]
    baseline_digest: str | None = None
    baseline_version: int | None = None
    summary: str = ""
    notes: tuple[str, ...] = ()

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that failed, in the order in which they were made."""
        return tuple(check for check in self.checks if check.status == "failed")

    def headline(self) -> str:
        """Describe the outcome in one line."""
        counts = {s: sum(c.status == s for c in self.checks) for s in ("passed", "failed", "undecided")}
        tail = undecided(self.checks)
        if self.passed:
            if self.summary:
                return self.summary
            return f"passed: {counts['passed']} of {len(self.checks)} checks{tail}"
        worst = self.failures[0].sentence() if self.failures else "no check could decide"
        more = f" (and {counts['failed'] - 1} more)" if counts["failed"] > 1 else ""
        return f"refused: {worst}{more}"


def undecided(checks: Sequence[Check]) -> str:
    """Say how many checks are undecided and why the first is, to be appended to a sentence; "" if none is."""
    found = [check for check in checks if check.status == "undecided"]
    return f", {len(found)} undecided ({found[0].message})" if found else ""


def judge(
    gate: str,
    digest: str,
    checks: list[Check],
    *,
    baseline_digest: str | None = None,
    baseline_version: int | None = None,
    notes: tuple[str, ...] = (),
) -> Verdict:
    """Combine checks into a verdict: passed if no check failed and, if there are any, at least one could decide."""
    decided = [check for check in checks if check.status != "undecided"]
    passed = all(check.status == "passed" for check in decided) and bool(decided or not checks)
    return Verdict(
        gate=gate,
        passed=passed,
        digest=digest,
        checks=tuple(checks),
        baseline_digest=baseline_digest,
        baseline_version=baseline_version,
        notes=notes,
    )


def write_verdict(verdict: Verdict, folder: str | Path) -> None:
    """Write `verdict.json` into the folder of an artifact."""
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    (path / VERDICT_FILE).write_text(verdict.model_dump_json(indent=1))


def read_verdict(folder: str | Path) -> Verdict:
    """Read the verdict of an artifact's folder.

    Raises:
        FileNotFoundError: there is none.
    """
    return Verdict.model_validate_json((Path(folder) / VERDICT_FILE).read_text())
