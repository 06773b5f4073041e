"""Gate 2 without TensorFlow: the checks of variants, and the table."""

import numpy as np
import pytest

from components.evaluate.answers import Answers
from components.evaluate.config import EvaluateConfig
from components.evaluate.metrics import EXAMPLE_COUNT, Results, Value
from components.optimize import gate
from components.optimize.config import OptimizeConfig
from components.optimize.table import Measured, Row, as_text, outcome
from components.verdict import Check

EVALUATE = EvaluateConfig.model_validate(
    {
        "min_examples": 30,
        "thresholds": [{"metric": "accuracy", "lower_bound": 0.9, "max_drop": 0.5, "slices": ["label"]}],
    }
)


#: 500 examples, of which 100 are threes.
LABELS = np.repeat([0, 1], [400, 100])


def answers(wrong: dict[str, tuple[int, int]]) -> Answers:
    """The answers of models, each with a number of wrong ones among the others and among the threes."""
    chosen = {}
    for name, (others, threes) in wrong.items():
        chosen[name] = LABELS.copy()
        chosen[name][:others] = 1
        chosen[name][400 : 400 + threes] = 0
    slices = {"label": (("0", "3"), LABELS)}
    return Answers(2, LABELS, chosen, {}, slices, scores=lambda model, class_id: np.zeros(500))


def judged(
    name: str, wrong: dict[str, tuple[int, int]], config: OptimizeConfig, few: int = 30
) -> list[Check]:
    given = answers(wrong)
    results: Results = {
        where: {
            model: {
                "accuracy": Value(float((chosen == LABELS)[given.rows(where)].mean())),
                EXAMPLE_COUNT: Value(int(given.rows(where).sum())),
            }
            for model, chosen in given.chosen.items()
        }
        for where in ((), (("label", "3"),))
    }
    evaluate = EVALUATE.model_copy(update={"min_examples": few})
    return gate.quality_checks(name, evaluate, config, ["0", "3"], results, given)


@pytest.mark.parametrize(
    ("wrong", "few", "expected"),
    [
        ((10, 2), 30, []),
        ((20, 2), 30, ["all examples: 0.96"]),
        ((10, 9), 30, ["label = 3: 0.96"]),
        ((10, 9), 101, []),
        ((55, 2), 30, ["all examples: 0.90", "all examples: 0.96"]),
    ],
)
def test_absolute_bounds_and_drops(wrong: tuple[int, int], few: int, expected: list[str]) -> None:
    config = OptimizeConfig(max_drop=0.015, max_slice_drop=0.02)
    found = judged("int8", {"float": (10, 2), "int8": wrong}, config, few)
    failed = [f"{check.slice}: {check.bound:.2f}" for check in found if check.status == "failed"]
    assert failed == expected


def test_the_float_model_is_not_compared_with_itself() -> None:
    found = judged("float", {"float": (10, 2), "int8": (20, 2)}, OptimizeConfig())
    assert all(check.baseline_value is None for check in found)


def test_the_worst_slice() -> None:
    found = judged("int8", {"float": (10, 2), "int8": (10, 5)}, OptimizeConfig())
    drop, where = gate.worst_slice_drop(found, 30) or (0.0, "")
    assert drop == pytest.approx(0.03)
    assert where == "accuracy on label = 3"
    assert gate.worst_slice_drop(found, 101) is None


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
