"""Gate 2 as pure functions: each variant's checks."""

from collections.abc import Iterator, Sequence

from components.evaluate.answers import Answers
from components.evaluate.config import EvaluateConfig, Threshold
from components.evaluate.estimates import compare
from components.evaluate.gate import checks
from components.evaluate.metrics import Results, Slice, Wanted
from components.evaluate.paired import Comparison
from components.names import CANDIDATE, FLOAT, OVERALL
from components.optimize.config import OptimizeConfig
from components.optimize.table import Measured, Row
from components.verdict import Check


def thresholds(evaluate: EvaluateConfig, config: OptimizeConfig) -> EvaluateConfig:
    """Return Gate 1's thresholds with the drops that Gate 2 allows against the float parent."""
    changed: list[Threshold] = []
    for threshold in evaluate.thresholds:
        if threshold.overall:
            changed.append(threshold.model_copy(update={"slices": (), "max_drop": config.max_drop}))
        if threshold.slices:
            changed.append(threshold.model_copy(update={"overall": False, "max_drop": config.max_slice_drop}))
    return evaluate.model_copy(update={"thresholds": tuple(changed)})


def quality_checks(
    name: str,
    evaluate: EvaluateConfig,
    config: OptimizeConfig,
    classes: Sequence[str],
    results: Results,
    answers: Answers,
) -> list[Check]:
    """Check a variant against the absolute bounds and against its parent, on all examples and on each slice."""
    own: Results = {where: {CANDIDATE: by_model.get(name, {})} for where, by_model in results.items()}

    def compared(want: Wanted, where: Slice) -> Comparison | None:
        return compare(want, answers, name, FLOAT, answers.rows(where))

    return checks(thresholds(evaluate, config), classes, own, None if name == FLOAT else compared)


def worst_slice_drop(found: Sequence[Check], min_examples: int) -> tuple[float, str] | None:
    """Return the largest loss against the parent on a slice with enough examples, and the slice's name."""
    drops = [
        (_loss(check), f"{check.metric} on {check.slice}")
        for check in found
        if check.slice != OVERALL
        and check.baseline_value is not None
        and (check.examples or 0) >= min_examples
    ]
    return max(drops) if drops else None


def _loss(check: Check) -> float:
    assert check.value is not None
    assert check.baseline_value is not None
    sign = -1 if check.direction == "at most" else 1
    return sign * (check.baseline_value - check.value)


def agreement_checks(agreement: float, config: OptimizeConfig) -> list[Check]:
    """Check the share of equal answers against its bound, if there is one."""
    if config.min_agreement is None:
        return []
    return [_bounded("agreement with the float model", agreement, config.min_agreement, at_least=True)]


def budget_checks(measured: Measured, config: OptimizeConfig) -> list[Check]:
    """Check size and speed against the budgets."""
    budgets = config.budgets
    limits = [
        ("bytes", measured.bytes, budgets.max_bytes, False),
        ("gzip bytes", measured.gzip_bytes, budgets.max_gzip_bytes, False),
        ("p50 latency in µs", measured.p50_us, budgets.max_p50_us, False),
        ("p99 latency in µs", measured.p99_us, budgets.max_p99_us, False),
        ("examples per second", measured.examples_per_second, budgets.min_examples_per_second, True),
    ]
    return [
        _bounded(name, value, bound, at_least) for name, value, bound, at_least in limits if bound is not None
    ]


def _bounded(name: str, value: float, bound: float, at_least: bool) -> Check:
    good = value >= bound if at_least else value <= bound
    return Check(
        metric=name,
        status="passed" if good else "failed",
        value=value,
        bound=bound,
        direction="at least" if at_least else "at most",
    )


def prefixed(rows: Sequence[Row]) -> Iterator[Check]:
    """Yield every check of every variant, each with its variant's name."""
    for row in rows:
        for check in row.checks:
            yield check.model_copy(update={"metric": f"{row.name}: {check.metric}"})
