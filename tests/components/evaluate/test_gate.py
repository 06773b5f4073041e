"""The checks of Gate 1, without TFMA: what passes, what fails, what is too small to decide."""

import pytest

from components.evaluate.config import EvaluateConfig, Threshold
from components.evaluate.gate import checks, wanted
from components.evaluate.metrics import EXAMPLE_COUNT, Results, Value, Wanted
from components.names import BASELINE, CANDIDATE
from components.verdict import Check

CLASSES = ["ham", "spam"]
THIN = (("stroke", "thin"),)


def _results(overall: float, thin: float, examples: int = 100, baseline: float | None = None) -> Results:
    results: Results = {}
    for where, value, count in (((), overall, 500), (THIN, thin, examples)):
        results[where] = {CANDIDATE: {"accuracy": Value(value), EXAMPLE_COUNT: Value(count)}}
        if baseline is not None:
            results[where][BASELINE] = {"accuracy": Value(baseline), EXAMPLE_COUNT: Value(count)}
    return results


def _checks(results: Results, **threshold: object) -> list[Check]:
    return checks(EvaluateConfig(thresholds=(Threshold.model_validate(threshold),)), CLASSES, results)


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


@pytest.mark.parametrize(("candidate", "status"), [(0.95, "passed"), (0.94, "passed"), (0.939, "failed")])
def test_a_drop_is_measured_against_the_released_model(candidate: float, status: str) -> None:
    (check,) = _checks(_results(candidate, 0.9, baseline=0.95), max_drop=0.01)
    assert (check.status, check.baseline_value) == (status, 0.95)


def test_without_a_released_model_only_absolute_bounds_are_checked() -> None:
    assert _checks(_results(0.5, 0.5), max_drop=0.01) == []
    assert len(_checks(_results(0.5, 0.5), max_drop=0.01, lower_bound=0.4)) == 1


def test_a_demanded_improvement_is_a_negative_drop() -> None:
    (check,) = _checks(_results(0.95, 0.9, baseline=0.95), max_drop=-0.01)
    assert check.status == "failed"


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
