"""The pick: which of the variants that passed Gate 2 is released.

What is measured is noisy, and the best number alone would pick another variant in every run. So of the variants that
are as good as the best in the objective, but for noise, none is picked that another one beats on size, speed and
quality together; of those left the smallest, and of equally small ones the simplest.
"""

from collections.abc import Callable, Sequence

from components.evaluate.config import LOWER_IS_BETTER, EvaluateConfig
from components.names import FLOAT
from components.optimize.config import BUILT_IN, OptimizeConfig
from components.optimize.table import Row

#: Tells whether the first of two variants is worse in quality than the second, by more than chance.
Worse = Callable[[str, str], bool]


def pick(
    rows: Sequence[Row], evaluate: EvaluateConfig, config: OptimizeConfig, worse: Worse
) -> tuple[str, str] | None:
    """Pick a variant.

    Args:
        rows: the table.
        evaluate: its first threshold is the metric of quality.
        config: the objective, and the share within which speeds and sizes are equal.
        worse: compares qualities.

    Returns:
        Its name, and why it is picked in a line; None if nothing passed.
    """
    passed = [row for row in rows if row.passed and row.measured]
    if not passed:
        return None
    metric = evaluate.thresholds[0]
    if config.objective == "quality":
        sign = 1 if metric.metric in LOWER_IS_BETTER else -1
        best = min(passed, key=lambda row: sign * row.quality[metric.name])
        close = [row for row in passed if not worse(row.name, best.name)]
        what = f"not worse in {metric.name} than {best.name} by more than chance"
        alone = f"the best in {metric.name} by more than chance"
    else:
        cost = _speed if config.objective == "latency" else _size
        least = min(map(cost, passed))
        close = [row for row in passed if cost(row) <= least * (1 + config.tie)]
        most = "fastest" if config.objective == "latency" else "smallest"
        what, alone = f"within {config.tie:.0%} of the {most}", f"the {most} by more than {config.tie:.0%}"
    unbeaten = [
        row for row in close if not any(_beats(other, row, config.tie, worse) for other in close)
    ] or close
    least = min(map(_size, unbeaten))
    small = [row for row in unbeaten if _size(row) <= least * (1 + config.tie)]
    chosen = min(small, key=lambda row: _complexity(row.name)).name
    reason = alone if len(close) == 1 else f"{what} are {_named(close)}; {_reason(close, unbeaten, small)}"
    return chosen, f"picked {chosen}: {reason}"


def _reason(close: Sequence[Row], unbeaten: Sequence[Row], small: Sequence[Row]) -> str:
    if len(unbeaten) == 1:
        return "it beats the others on size, speed and quality together"
    beaten = len(unbeaten) < len(close)
    reason = f"none beats {_named(unbeaten)} on size, speed and quality together; " if beaten else ""
    if len(small) == 1:
        return f"{reason}it is the smallest"
    return f"{reason}of the equally small {_named(small)} it is the simplest"


def _named(rows: Sequence[Row]) -> str:
    return ", ".join(row.name for row in rows)


def _beats(one: Row, other: Row, tie: float, worse: Worse) -> bool:
    """Tell whether one is better than the other in speed, size or quality, and worse in none, but for noise."""
    costs = [(_speed(one), _speed(other)), (_size(one), _size(other))]
    if any(mine > its * (1 + tie) for mine, its in costs) or worse(one.name, other.name):
        return False
    return any(its > mine * (1 + tie) for mine, its in costs) or worse(other.name, one.name)


def _speed(row: Row) -> float:
    assert row.measured is not None
    return row.measured.p50_us


def _size(row: Row) -> float:
    assert row.measured is not None
    return float(row.measured.bytes)


def _complexity(name: str) -> tuple[int, int]:
    """Rank the float model first, then single techniques in their order, then chains."""
    if name == FLOAT:
        return (0, 0)
    steps = name.split("+")
    return (len(steps), max(BUILT_IN.index(step) if step in BUILT_IN else len(BUILT_IN) for step in steps))
