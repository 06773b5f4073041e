"""Gate 2 as pure functions: each variant's checks, and the pick among those that pass."""

from collections.abc import Iterator, Sequence

from components.evaluate.config import LOWER_IS_BETTER, EvaluateConfig, Threshold
from components.evaluate.gate import checks
from components.evaluate.metrics import Results
from components.names import BASELINE, CANDIDATE, FLOAT, OVERALL
from components.optimize.config import BUILT_IN, OptimizeConfig
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
    name: str, evaluate: EvaluateConfig, config: OptimizeConfig, classes: Sequence[str], results: Results
) -> list[Check]:
    """Check a variant against the absolute bounds and against its parent, on all examples and on each slice."""
    pair: Results = {
        where: {CANDIDATE: by_model.get(name, {}), BASELINE: by_model.get(FLOAT, {}) if name != FLOAT else {}}
        for where, by_model in results.items()
    }
    return checks(thresholds(evaluate, config), classes, pair)


def worst_slice_drop(found: Sequence[Check]) -> tuple[float, str] | None:
    """Return the largest loss against the parent on a slice with enough examples, and the slice's name."""
    drops = [
        (_loss(check), f"{check.metric} on {check.slice}")
        for check in found
        if check.slice != OVERALL and check.status != "undecided" and check.baseline_value is not None
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


def pick(rows: Sequence[Row], evaluate: EvaluateConfig, config: OptimizeConfig) -> str | None:
    """Choose the best by the objective among those that passed; within the tie, the simplest.

    Returns:
        Its name; None if nothing passed.
    """
    passed = [row for row in rows if row.passed and row.measured]
    if not passed:
        return None
    cost = {row.name: _cost(row, evaluate, config) for row in passed}
    best = min(cost.values())
    close = [row for row in passed if cost[row.name] <= best + _tie(best, config)]
    return min(close, key=lambda row: _complexity(row.name)).name


def _cost(row: Row, evaluate: EvaluateConfig, config: OptimizeConfig) -> float:
    assert row.measured is not None
    if config.objective == "latency":
        return row.measured.p50_us
    if config.objective == "size":
        return float(row.measured.bytes)
    first = evaluate.thresholds[0]
    value = row.quality[first.name]
    return value if first.metric in LOWER_IS_BETTER else -value


def _tie(best: float, config: OptimizeConfig) -> float:
    # A share of a quality such as 0.98 would be no measure of its noise, so only equal values tie.
    return 0.0 if config.objective == "quality" else best * config.tie


def _complexity(name: str) -> tuple[int, int]:
    """Rank the float model first, then single techniques in their order, then chains."""
    if name == FLOAT:
        return (0, 0)
    steps = name.split("+")
    return (len(steps), max(BUILT_IN.index(step) if step in BUILT_IN else len(BUILT_IN) for step in steps))


def prefixed(rows: Sequence[Row]) -> Iterator[Check]:
    """Yield every check of every variant, each with its variant's name."""
    for row in rows:
        for check in row.checks:
            yield check.model_copy(update={"metric": f"{row.name}: {check.metric}"})
