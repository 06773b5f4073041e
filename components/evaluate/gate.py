"""From metrics to a verdict: the checks of Gate 1, as pure functions."""

from collections.abc import Iterator, Sequence

from components.evaluate.config import LOWER_IS_BETTER, EvaluateConfig, Threshold
from components.evaluate.metrics import EXAMPLE_COUNT, Results, Slice, Value, Wanted
from components.names import BASELINE, CANDIDATE, OVERALL
from components.verdict import Check


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


def checks(config: EvaluateConfig, classes: Sequence[str], results: Results) -> list[Check]:
    """Check every threshold on every slice it covers, in the configuration's order, slices sorted."""
    found: list[Check] = []
    for threshold in config.thresholds:
        key = metric_of(threshold, classes).key
        for where in sorted(results):
            covered = threshold.overall if where == () else where[0][0] in threshold.slices
            if covered:
                found.extend(_of_slice(threshold, key, where, results, config.min_examples))
        for feature in threshold.slices:
            if not any(where and where[0][0] == feature for where in results):
                message = f"no example has the feature {feature!r}: check evaluate.thresholds.slices"
                found.append(Check(metric=threshold.name, slice=feature, status="failed", message=message))
    return found


def _of_slice(
    threshold: Threshold, key: str, where: Slice, results: Results, min_examples: int
) -> Iterator[Check]:
    candidate = results[where].get(CANDIDATE, {})
    value, baseline = candidate.get(key), results[where].get(BASELINE, {}).get(key)
    examples = round(candidate[EXAMPLE_COUNT].value) if EXAMPLE_COUNT in candidate else 0
    lower_is_better = threshold.metric in LOWER_IS_BETTER
    absolute = threshold.upper_bound if lower_is_better else threshold.lower_bound
    bounds: list[tuple[float, Value | None]] = [] if absolute is None else [(absolute, None)]
    if threshold.max_drop is not None and baseline is not None:
        drop = threshold.max_drop if lower_is_better else -threshold.max_drop
        bounds.append((baseline.value + drop, baseline))
    for bound, compared in bounds:
        yield _check(threshold, slice_name(where), value, bound, compared, examples, min_examples)


def _check(
    threshold: Threshold,
    where: str,
    value: Value | None,
    bound: float,
    compared: Value | None,
    examples: int,
    min_examples: int,
) -> Check:
    too_few = where != OVERALL and examples < min_examples
    common = {
        "metric": threshold.name,
        "slice": where,
        "examples": examples,
        "bound": bound,
        "direction": "at most" if threshold.metric in LOWER_IS_BETTER else "at least",
        "baseline_value": compared.value if compared else None,
    }
    if value is None:
        message = "the metric has no value here (a class is missing from these examples)"
        # A slice may lack a class; all examples together may not, or the gate would pass what it never saw.
        status = "failed" if where == OVERALL else "undecided"
        return Check.model_validate({**common, "status": status, "message": message})
    # Values are means of float32, so a bound that is missed by their rounding error alone is met.
    margin = bound - value.value if threshold.metric in LOWER_IS_BETTER else value.value - bound
    status = "undecided" if too_few else ("passed" if margin >= -1e-6 else "failed")
    message = f"{examples} of the {min_examples} examples needed to decide" if too_few else ""
    return Check.model_validate(
        {**common, "value": value.value, "interval": value.interval, "status": status, "message": message}
    )
