from typing import Any

import pytest

from components.evaluate.config import EvaluateConfig
from components.evaluate.metrics import EXAMPLE_COUNT, Results, Value
from components.optimize import gate
from components.optimize.config import OptimizeConfig
from components.optimize.table import Measured, Row, as_text, outcome

EVALUATE = EvaluateConfig.model_validate(
    {
        "min_examples": 30,
        "thresholds": [{"metric": "accuracy", "lower_bound": 0.9, "max_drop": 0.5, "slices": ["label"]}],
    }
)


def results(float_values: tuple[float, float], variant: tuple[float, float], count: int = 100) -> Results:
    def of(value: float) -> dict[str, Value]:
        return {"accuracy": Value(value), EXAMPLE_COUNT: Value(count)}

    slices: list[Any] = [(), (("label", "3"),)]
    return {
        where: {"float": of(mine), "int8": of(its)}
        for where, mine, its in zip(slices, float_values, variant, strict=True)
    }


def failed(found: list[Any]) -> list[str]:
    return [f"{check.slice}: {check.bound:.2f}" for check in found if check.status == "failed"]


@pytest.mark.parametrize(
    ("variant", "count", "expected"),
    [
        ((0.98, 0.98), 100, []),
        ((0.965, 0.98), 100, ["all examples: 0.97"]),
        ((0.98, 0.92), 100, ["label = 3: 0.96"]),
        ((0.98, 0.92), 20, []),
        ((0.89, 0.98), 100, ["all examples: 0.90", "all examples: 0.97"]),
    ],
)
def test_absolute_bounds_and_drops(variant: tuple[float, float], count: int, expected: list[str]) -> None:
    config = OptimizeConfig(max_drop=0.01, max_slice_drop=0.02)
    found = gate.quality_checks("int8", EVALUATE, config, ["3"], results((0.98, 0.98), variant, count))
    assert failed(found) == expected


def test_the_float_model_is_not_compared_with_itself() -> None:
    found = gate.quality_checks("float", EVALUATE, OptimizeConfig(), ["3"], results((0.95, 0.95), (0.9, 0.9)))
    assert all(check.baseline_value is None for check in found)


def test_the_worst_slice() -> None:
    config = OptimizeConfig()
    found = gate.quality_checks("int8", EVALUATE, config, ["3"], results((0.98, 0.98), (0.98, 0.95)))
    drop, where = gate.worst_slice_drop(found) or (0.0, "")
    assert drop == pytest.approx(0.03)
    assert where == "accuracy on label = 3"


def measured(p50: float = 100, size: int = 1000) -> Measured:
    return Measured(bytes=size, gzip_bytes=size, p50_us=p50, p99_us=2 * p50, examples_per_second=1e6 / p50)


def row(name: str, p50: float = 100, size: int = 1000, quality: float = 0.9, passed: bool = True) -> Row:
    return Row(name=name, measured=measured(p50, size), quality={"accuracy": quality}, passed=passed)


def test_budgets() -> None:
    budgets = {"max_bytes": 1000, "max_p50_us": 99, "max_p99_us": 200, "min_examples_per_second": 10_001}
    config = OptimizeConfig.model_validate({"budgets": budgets})
    found = gate.budget_checks(measured(), config)
    assert [check.status for check in found] == ["passed", "failed", "passed", "failed"]
    assert "p50 latency in µs is 100 and must be at most 99" in found[1].sentence()


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
    assert gate.pick(rows, EVALUATE, OptimizeConfig.model_validate({"objective": objective})) == expected


def test_ties_go_to_the_simpler() -> None:
    config = OptimizeConfig(tie=0.05)
    assert (
        gate.pick([row("float", 300), row("int8", 100), row("float16", 104)], EVALUATE, config) == "float16"
    )
    assert gate.pick([row("float", 300), row("int8", 100), row("float16", 106)], EVALUATE, config) == "int8"
    assert gate.pick([row("distilled+int8", 99), row("distilled", 100)], EVALUATE, config) == "distilled"
    assert gate.pick([row("int8", 99), row("float", 100)], EVALUATE, config) == "float"
    assert gate.pick([row("int8", passed=False)], EVALUATE, config) is None


def test_the_table_tells_every_outcome() -> None:
    bad = gate.budget_checks(measured(), OptimizeConfig.model_validate({"budgets": {"max_bytes": 9}}))
    rows = [
        row("float"),
        row("int8", 10).model_copy(update={"picked": True}),
        row("qat").model_copy(update={"checks": tuple(bad), "passed": False}),
        Row(name="tensorrt", skipped="no GPU"),
    ]
    assert [outcome(one).split(":")[0] for one in rows] == ["passed", "picked", "refused", "skipped"]
    text = as_text(rows)
    assert "| 10 (10.0×) |" in text
    assert "refused: bytes is 1000 and must be at most 9" in text
    assert text.splitlines()[-1].endswith("skipped: no GPU |")
