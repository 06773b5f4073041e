"""From metrics to a verdict: the checks of Gate 1, as pure functions."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from components.evaluate.config import LOWER_IS_BETTER, EvaluateConfig, Threshold
from components.evaluate.metrics import EXAMPLE_COUNT, Results, Slice, Value, Wanted
from components.evaluate.paired import ROUNDING, Comparison, decide
from components.names import CANDIDATE, OVERALL
from components.verdict import Check

#: Compares the candidate with another model in a metric on a slice; None where one of them has no value.
Compared = Callable[[Wanted, Slice], Comparison | None]


def wanted(config: EvaluateConfig, classes: Sequence[str]) -> list[Wanted]:
    """List the metrics that the thresholds need; accuracy is always reported.

    Raises:
        ValueError: a threshold names a class that does not exist.
    """
    metrics = [Wanted("accuracy")]
    for threshold in config.thresholds:
        if threshold.class_name is not None and threshold.class_name not in classes:
            raise ValueError(
                f"evaluate.thresholds: class_name {threshold.class_name!r} is not among the classes {list(classes)}"
            )
        metrics.append(metric_of(threshold, classes))
    return list(dict.fromkeys(metrics))


def metric_of(threshold: Threshold, classes: Sequence[str]) -> Wanted:
    """Return the metric that a threshold is about, for one class if the threshold names one."""
    name = threshold.class_name
    return Wanted(threshold.metric, None if name is None else list(classes).index(name))


def slice_name(key: Slice) -> str:
    """Name a slice as people read it: `stroke_weight = thin`."""
    return " and ".join(f"{feature} = {value}" for feature, value in key) or OVERALL


def checks(
    config: EvaluateConfig, classes: Sequence[str], results: Results, compared: Compared | None = None
) -> list[Check]:
    """Check every threshold on every slice it covers, in the configuration's order, slices sorted.

    Args:
        config: the thresholds.
        classes: names in the order of their ids.
        results: the candidate's metrics.
        compared: compares it with another model; None if there is none.
    """
    covered = [
        (threshold, where)
        for threshold in config.thresholds
        for where in sorted(results)
        if (threshold.overall if where == () else where[0][0] in threshold.slices)
    ]
    comparisons = sum(threshold.max_drop is not None for threshold, _ in covered)
    found: list[Check] = []
    for threshold, where in covered:
        want = metric_of(threshold, classes)
        candidate = results[where].get(CANDIDATE, {})
        if threshold.bound is not None:
            found.append(_bounded(threshold, want, where, candidate, config.min_examples))
        if threshold.max_drop is not None and compared is not None:
            found.append(_compared(threshold, where, compared(want, where), comparisons, config))
    for threshold in config.thresholds:
        for feature in threshold.slices:
            if not any(where and where[0][0] == feature for where in results):
                message = f"no example has the feature {feature!r}: check evaluate.thresholds.slices"
                found.append(Check(metric=threshold.name, slice=feature, status="failed", message=message))
    if found and not any(_was_judged(check, config.min_examples) for check in found):
        message = f"none could be checked ({found[0].slice}: {found[0].message}): use more data, or lower min_examples"
        found.append(Check(metric="evaluate.thresholds", status="failed", message=message))
    return found


def _was_judged(check: Check, min_examples: int) -> bool:
    """Tell a check from one of a slice that was not judged at all: for want of examples, or of a value."""
    return (
        check.status != "undecided"
        or check.slice == OVERALL
        or (check.value is not None and (check.examples or 0) >= min_examples)
    )


def _bounded(
    threshold: Threshold, want: Wanted, where: Slice, candidate: Mapping[str, Value], min_examples: int
) -> Check:
    """Check a metric against its absolute bound."""
    value = candidate.get(want.key)
    examples = round(candidate[EXAMPLE_COUNT].value) if EXAMPLE_COUNT in candidate else 0
    assert threshold.bound is not None
    common = {**_common(threshold, where), "examples": examples, "bound": threshold.bound}
    if value is None:
        message = "the metric has no value here (a class is missing from these examples)"
        # A slice may lack a class; all examples together may not, or the gate would pass what it never saw.
        status = "failed" if where == () else "undecided"
        return Check.model_validate({**common, "status": status, "message": message})
    common |= {"value": value.value, "interval": value.interval}
    if where != () and examples < min_examples:
        return Check.model_validate(
            {**common, "status": "undecided", "message": _few(examples, min_examples)}
        )
    lower_is_better = threshold.metric in LOWER_IS_BETTER
    margin = threshold.bound - value.value if lower_is_better else value.value - threshold.bound
    return Check.model_validate({**common, "status": "passed" if margin >= -ROUNDING else "failed"})


def _compared(
    threshold: Threshold, where: Slice, found: Comparison | None, comparisons: int, config: EvaluateConfig
) -> Check:
    """Check that a metric is not worse than another model's by more than `max_drop`, and by more than chance."""
    common = _common(threshold, where)
    if found is None:
        message = "no comparison: one of the models has no value here, or does not know the class"
        return Check.model_validate({**common, **_undecided(message, where == (), config)})
    assert threshold.max_drop is not None
    drop = threshold.max_drop if threshold.metric in LOWER_IS_BETTER else -threshold.max_drop
    common |= {
        "examples": found.examples,
        "value": found.value,
        "baseline_value": found.baseline,
        "bound": found.baseline + drop,
    }
    if where != () and found.examples < config.min_examples:
        message = _few(found.examples, config.min_examples)
        return Check.model_validate({**common, "status": "undecided", "message": message})
    status, message = decide(found, threshold.max_drop, comparisons, share=threshold.metric != "loss")
    if status == "undecided":
        return Check.model_validate({**common, **_undecided(message, True, config)})
    return Check.model_validate({**common, "status": status, "message": message})


def _common(threshold: Threshold, where: Slice) -> dict[str, Any]:
    direction = "at most" if threshold.metric in LOWER_IS_BETTER else "at least"
    return {"metric": threshold.name, "slice": slice_name(where), "direction": direction}


def _undecided(message: str, decides: bool, config: EvaluateConfig) -> dict[str, Any]:
    """Say what becomes of a comparison that is undecided, where it is one that should decide."""
    if decides and config.undecided == "refuse":
        return {"status": "failed", "message": f"undecided, which evaluate.undecided refuses: {message}"}
    return {"status": "undecided", "message": message}


def _few(examples: int, min_examples: int) -> str:
    return f"{examples} of the {min_examples} examples needed to decide"
