"""The checks of Gate 1, without TFMA: what passes, what fails, what is too small to decide."""

import pytest

from components.evaluate.config import EvaluateConfig, Threshold
from components.evaluate.gate import Compared, checks, wanted
from components.evaluate.metrics import EXAMPLE_COUNT, Results, Value, Wanted
from components.evaluate.paired import Comparison
from components.names import CANDIDATE
from components.verdict import Check
from tests.components.evaluate.test_paired import share

CLASSES = ["ham", "spam"]
THIN = (("stroke", "thin"),)


def _results(overall: float, thin: float, examples: int = 100) -> Results:
    return {
        where: {CANDIDATE: {"accuracy": Value(value), EXAMPLE_COUNT: Value(count)}}
        for where, value, count in (((), overall, 500), (THIN, thin, examples))
    }


def _checks(
    results: Results, compared: Compared | None = None, undecided: str = "pass", **threshold: object
) -> list[Check]:
    config = EvaluateConfig.model_validate({"thresholds": [threshold], "undecided": undecided})
    return checks(config, CLASSES, results, compared)


def _always(found: Comparison | None) -> Compared:
    return lambda want, where: found


def test_an_absolute_bound_holds_for_all_and_for_each_slice() -> None:
    found = _checks(_results(0.95, 0.85), lower_bound=0.9, slices=["stroke"])
    assert [(check.slice, check.status) for check in found] == [
        ("all examples", "passed"),
        ("stroke = thin", "failed"),
    ]
    assert found[1].examples == 100


def test_a_slice_with_too_few_examples_decides_nothing_and_says_so() -> None:
    (_, thin) = _checks(_results(0.95, 0.1, examples=29), lower_bound=0.9, slices=["stroke"])
    assert thin.status == "undecided"
    assert thin.message == "29 of the 30 examples needed to decide"


def test_a_gate_that_could_check_nothing_does_not_pass() -> None:
    found = _checks(_results(0.95, 0.9, examples=29), lower_bound=0.5, slices=["stroke"], overall=False)
    assert [check.status for check in found] == ["undecided", "failed"]
    assert found[1].message.startswith("none could be checked (stroke = thin: 29 of the 30 examples needed")


@pytest.mark.parametrize(("worse", "status"), [(2, "passed"), (4, "passed"), (30, "failed")])
def test_a_drop_is_measured_against_the_released_model(worse: int, status: str) -> None:
    (check,) = _checks(_results(0.95, 0.9), _always(share(worse, 2, 500, 463)), max_drop=0.02)
    assert check.status == status
    assert check.value == pytest.approx(0.93)
    assert check.baseline_value == pytest.approx((463 + worse) / 500)
    assert check.bound == pytest.approx((463 + worse) / 500 - 0.02)


@pytest.mark.parametrize(("undecided", "status"), [("pass", "undecided"), ("refuse", "failed")])
def test_the_configuration_says_what_becomes_of_what_is_undecided(undecided: str, status: str) -> None:
    (check,) = _checks(_results(0.95, 0.9), _always(share(1, 0, 30)), undecided, max_drop=0.01)
    assert check.status == status
    assert "with 30 examples a drop below 17 points cannot be seen" in check.message
    assert ("evaluate.undecided refuses" in check.message) == (undecided == "refuse")
    # A class that the released model does not know has no comparison.
    (check,) = _checks(_results(0.95, 0.9), _always(None), undecided, max_drop=0.01)
    assert check.status == status
    assert "does not know the class" in check.message
    # A slice with few examples decides nothing either way.
    found = _checks(_results(0.95, 0.9), _always(share(9, 0, 29)), undecided, max_drop=0.5, slices=["stroke"])
    assert (found[1].slice, found[1].status) == ("stroke = thin", "undecided")
    assert found[1].message == "29 of the 30 examples needed to decide"


def test_the_chance_of_one_comparison_is_shared_by_all_of_a_threshold_and_its_slices() -> None:
    nine_to_one = _always(share(9, 1, 100))
    assert _checks(_results(0.95, 0.9), nine_to_one, max_drop=0.02)[0].status == "failed"
    both = _checks(_results(0.95, 0.9), nine_to_one, max_drop=0.02, slices=["stroke"])
    assert [check.status for check in both] == ["failed", "failed"]  # 0.011 is below 5 % / 2
    config = EvaluateConfig(thresholds=(Threshold(max_drop=0.02),) * 5)
    assert {check.status for check in checks(config, CLASSES, _results(0.95, 0.9), nine_to_one)} == {
        "undecided"
    }


def test_without_a_released_model_only_absolute_bounds_are_checked() -> None:
    assert _checks(_results(0.5, 0.5), max_drop=0.01) == []
    assert len(_checks(_results(0.5, 0.5), max_drop=0.01, lower_bound=0.4)) == 1


def test_loss_is_better_when_lower() -> None:
    results: Results = {(): {CANDIDATE: {"loss": Value(0.3), EXAMPLE_COUNT: Value(500)}}}
    assert _checks(results, metric="loss", upper_bound=0.5)[0].status == "passed"
    assert _checks(results, metric="loss", upper_bound=0.2)[0].status == "failed"


def test_a_metric_without_a_value_fails_overall_and_decides_nothing_on_a_slice() -> None:
    results = _results(0.9, 0.9)
    found = _checks(results, metric="recall", class_name="spam", lower_bound=0.5, slices=["stroke"])
    assert [check.status for check in found] == ["failed", "undecided"]


def test_a_slice_feature_that_no_example_has_fails_instead_of_vanishing() -> None:
    found = _checks(_results(0.9, 0.9), lower_bound=0.5, slices=["strokes"])
    assert (found[-1].status, found[-1].slice) == ("failed", "strokes")


def test_only_what_the_thresholds_need_is_computed() -> None:
    config = EvaluateConfig(
        thresholds=(
            Threshold(lower_bound=0.9),
            Threshold(metric="recall", class_name="spam", lower_bound=0.9),
        )
    )
    assert wanted(config, CLASSES) == [Wanted("accuracy"), Wanted("recall", 1)]
    with pytest.raises(ValueError, match="class_name 'eggs' is not among the classes"):
        wanted(
            EvaluateConfig(thresholds=(Threshold(metric="recall", class_name="eggs", lower_bound=0.9),)),
            CLASSES,
        )
