"""The pick: the objective, what is noise in it, and what no other variant beats."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.evaluate.config import EvaluateConfig
from components.optimize.config import OptimizeConfig
from components.optimize.pick import pick
from components.optimize.table import Row
from tests.components.optimize.test_gate import row

EVALUATE = EvaluateConfig.model_validate({"thresholds": [{"metric": "accuracy", "lower_bound": 0.5}]})


def picked(
    rows: list[Row], objective: str = "latency", noise: float = 0.0, tie: float = 0.05
) -> tuple[str, str]:
    """Pick, where qualities that differ by no more than `noise` are alike."""
    quality = {one.name: one.quality["accuracy"] for one in rows if one.quality}
    config = OptimizeConfig.model_validate({"objective": objective, "tie": tie})
    found = pick(rows, EVALUATE, config, lambda one, other: quality[one] < quality[other] - noise)
    return found or ("", "")


@pytest.mark.parametrize(
    ("objective", "expected"), [("latency", "int8"), ("size", "distilled+int8"), ("quality", "float")]
)
def test_the_pick_follows_the_objective(objective: str, expected: str) -> None:
    rows = [
        row("float", 100, 1000, 0.95),
        row("int8", 10, 300, 0.94),
        row("distilled+int8", 20, 100, 0.93),
        row("clustered", 5, 50, 0.99, passed=False),
        Row(name="tensorrt", skipped="no GPU"),
    ]
    assert picked(rows, objective)[0] == expected


def test_within_the_noise_none_is_picked_that_another_beats() -> None:
    rows = [
        row("float", 300, 400),
        row("float16", 35, 200),
        row("int8_dynamic", 34, 120),
        row("int8", 60, 110),
    ]
    assert picked(rows) == (
        "int8_dynamic",
        "picked int8_dynamic: within 5% of the fastest are float16, int8_dynamic; it beats the others on size, speed "
        "and quality together",
    )
    # A better quality is something to keep; then the smaller of the two counts.
    rows[1] = row("float16", 35, 200, 0.95)
    name, why = picked(rows)
    assert name == "int8_dynamic"
    assert why.endswith("within 5% of the fastest are float16, int8_dynamic; it is the smallest")
    # A difference that may be chance is none.
    assert "it beats the others" in picked(rows, noise=0.1)[1]


def test_of_what_is_equal_the_simplest_is_picked() -> None:
    assert picked([row("float", 300), row("int8", 100), row("float16", 104)])[0] == "float16"
    assert picked([row("float", 300), row("int8", 100), row("float16", 106)])[0] == "int8"
    assert picked([row("distilled+int8", 99), row("distilled", 100)])[0] == "distilled"
    assert picked([row("int8", 99), row("float", 100)])[0] == "float"
    assert picked([row("int8", 99, 100), row("float", 100, 101)])[0] == "float"
    assert picked([row("int8", passed=False)]) == ("", "")
    assert picked([row("int8", 1), row("float", 2)])[1] == "picked int8: the fastest by more than 5%"


def test_quality_differs_only_by_more_than_chance() -> None:
    rows = [row("float", 100, 1000, 0.95), row("int8", 10, 300, 0.949), row("pruned", 5, 100, 0.90)]
    assert picked(rows, "quality")[0] == "float"
    name, why = picked(rows, "quality", noise=0.01)
    assert name == "int8"
    assert "not worse in accuracy than float by more than chance are float, int8" in why


@given(
    st.lists(
        st.tuples(st.integers(90, 110), st.integers(90, 110), st.integers(90, 99)), min_size=1, max_size=5
    ),
    st.sampled_from(["latency", "size", "quality"]),
)
def test_whatever_is_picked_is_near_the_best_and_beaten_by_none_near_it(
    measured: list[tuple[int, int, int]], objective: str
) -> None:
    names = ["float", "float16", "int8", "pruned", "distilled"]
    rows = [row(name, *numbers[:2], numbers[2] / 100) for name, numbers in zip(names, measured, strict=False)]
    name, _ = picked(rows, objective, tie=0.0)
    numbers = dict(zip(names, measured, strict=False))
    best = {"latency": min(p50 for p50, _, _ in measured), "size": min(size for _, size, _ in measured)}
    if objective in best:
        assert numbers[name][0 if objective == "latency" else 1] == best[objective]
    else:
        assert numbers[name][2] == max(quality for _, _, quality in measured)
    for other in numbers.values():
        p50, size, quality = numbers[name]
        better = (other[0] < p50, other[1] < size, other[2] > quality)
        not_worse = (other[0] <= p50, other[1] <= size, other[2] >= quality)
        assert not (all(not_worse) and any(better))
    for shuffled in itertools.permutations(rows):
        assert picked(list(shuffled), objective, tie=0.0)[0] == name
