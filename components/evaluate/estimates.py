"""Metrics of answers with their noise: a value, its 95 % interval, and how two models' values differ.

A share (accuracy, recall of a class) is a mean of right and wrong answers. Loss and AUC are means of one number for
each example. All others are ratios of counts, of which the examples are resampled.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import sparse, stats

from components.evaluate.answers import Answers, Ids, Mask, Numbers
from components.evaluate.config import LOWER_IS_BETTER
from components.evaluate.metrics import Results, Value, Wanted
from components.evaluate.paired import Comparison

#: Resamples of a bootstrap: enough for the 2.5 % quantile (Efron and Tibshirani, An Introduction to the Bootstrap,
#: 1993, section 14.2).
RESAMPLES = 1000
#: The same examples give the same interval.
SEED = 1
#: So many weights of examples are in memory at once.
_MOST_WEIGHTS = 10_000_000
#: What Keras clips probabilities to before it takes their logarithm.
_LEAST_PROBABILITY = 1e-7


def with_intervals(results: Results, wanted: Sequence[Wanted], answers: Answers) -> Results:
    """Return TFMA's values with the 95 % interval of each metric wanted."""
    found: Results = {}
    for where, by_model in results.items():
        rows = answers.rows(where)
        found[where] = {model: dict(values) for model, values in by_model.items()}
        for model, values in found[where].items():
            for want in wanted:
                if want.key in values:
                    values[want.key] = Value(values[want.key].value, interval(want, answers, model, rows))
    return found


def interval(want: Wanted, answers: Answers, model: str, rows: Mask) -> tuple[float, float] | None:
    """Return the 95 % interval of a metric of one model on some examples; None where it has no value.

    Wilson's score interval for shares (E. B. Wilson, J. Am. Stat. Assoc. 22, 1927); the percentile interval of the
    bootstrap for other ratios of counts; for loss and AUC the normal one, to which the bootstrap of a mean tends.
    """
    labels, chosen = answers.labels[rows], answers.chosen[model][rows]
    if (hits := _hits(want, labels, chosen)) is not None:
        return _wilson(int(hits.sum()), len(hits))
    if want.metric == "precision" and want.class_id is not None:
        answered = chosen == want.class_id
        return _wilson(int((labels[answered] == want.class_id).sum()), int(answered.sum()))
    every = range(answers.classes)
    if (each := _contributions(want, answers, model, rows, every)) is not None:
        if len(each) < 2 or np.isnan(each).any():
            return None
        half = 1.96 * _error_of_mean(each)
        high = np.inf if want.metric == "loss" else 1.0
        return max(float(each.mean()) - half, 0.0), min(float(each.mean()) + half, high)
    (sampled,) = _resampled(want, labels, [chosen], answers.classes, every)
    if np.isnan(sampled).all():
        return None
    low, high = np.nanquantile(sampled, (0.025, 0.975))
    return float(low), float(high)


def compare(
    want: Wanted,
    answers: Answers,
    candidate: str,
    baseline: str,
    rows: Mask,
    known: Sequence[int] | None = None,
) -> Comparison | None:
    """Compare two models in a metric on the same examples; None where one of them has no value.

    Args:
        want: the metric.
        answers: of both models.
        candidate: the name of the model that is judged.
        baseline: the name of the model that it is compared with.
        rows: the examples, bool [examples].
        known: the ids of the classes that both models know, of which the labels of these examples are; all if None.
    """
    if known is None:
        known = range(answers.classes)
    if not rows.any() or (want.class_id is not None and want.class_id not in known):
        return None
    labels = answers.labels[rows]
    mine, its = answers.chosen[candidate][rows], answers.chosen[baseline][rows]
    right, was_right = _hits(want, labels, mine), _hits(want, labels, its)
    if right is not None and was_right is not None:
        if not len(right):
            return None
        worse, better = int((was_right & ~right).sum()), int((right & ~was_right).sum())
        return Comparison(
            examples=len(right),
            value=float(right.mean()),
            baseline=float(was_right.mean()),
            drop=(worse - better) / len(right),
            error=float(np.sqrt(worse + better)) / len(right),
            changed=(worse, better),
        )
    each = _contributions(want, answers, candidate, rows, known)
    its_each = _contributions(want, answers, baseline, rows, known)
    if each is not None and its_each is not None:
        value, other = float(each.mean()), float(its_each.mean())
        error = _error_of_mean(each - its_each)
    else:
        ones = np.ones((1, len(labels)))
        value = float(_ratios(want, labels, mine, answers.classes, known, ones)[0])
        other = float(_ratios(want, labels, its, answers.classes, known, ones)[0])
        sampled, its_sampled = _resampled(want, labels, [mine, its], answers.classes, known)
        error = float(np.nanstd(sampled - its_sampled))
    if np.isnan(value) or np.isnan(other):
        return None
    drop = value - other if want.metric in LOWER_IS_BETTER else other - value
    return Comparison(len(labels), value, other, drop, error)


def _hits(want: Wanted, labels: Ids, chosen: Ids) -> Mask | None:
    """Return which answers are right, of those that a share counts; None if the metric is no such share."""
    if want.metric == "accuracy":
        return np.asarray(chosen == labels)
    if want.metric == "recall" and want.class_id is not None:
        return np.asarray(chosen[labels == want.class_id] == want.class_id)
    return None


def _contributions(
    want: Wanted, answers: Answers, model: str, rows: Mask, known: Sequence[int]
) -> Numbers | None:
    """Return a number for each example whose mean is the metric; None if the metric is no such mean."""
    if want.metric == "loss":
        given = answers.given[model][rows]
        losses: Numbers = -np.log(np.clip(given, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY))
        return losses
    if want.metric != "auc":
        return None
    labels = answers.labels[rows]
    ids = known if want.class_id is None else (want.class_id,)
    total = np.zeros(len(labels))
    for class_id in ids:
        total += _placements(answers.scores(model, class_id)[rows], labels == class_id)
    return total / len(ids)


def _placements(scores: Numbers, positive: Mask) -> Numbers:
    """Return for each example its part in the area under the ROC curve; their mean is the area, ties counting half.

    These are the structural components of DeLong, DeLong and Clarke-Pearson (Biometrics 44, 1988), each weighed by
    the number of examples over that of its side. NaN if one side is empty.
    """
    examples, positives = len(scores), int(positive.sum())
    negatives = examples - positives
    if not positives or not negatives:
        return np.full(examples, np.nan)
    ranks = stats.rankdata(scores)
    placed = np.empty(examples)
    placed[positive] = (ranks[positive] - stats.rankdata(scores[positive])) / negatives
    placed[~positive] = 1 - (ranks[~positive] - stats.rankdata(scores[~positive])) / positives
    area = placed[positive].mean()
    weight = np.where(positive, examples / positives, examples / negatives)
    parts: Numbers = area + (placed - area) * weight
    return parts


def _ratios(
    want: Wanted, labels: Ids, chosen: Ids, classes: int, known: Sequence[int], weights: Numbers
) -> Numbers:
    """Compute a ratio of counts once for each row of weights.

    Args:
        want: precision, recall, F1 or balanced accuracy.
        labels: class ids, int64 [entries].
        chosen: class ids, or -1, int64 [entries].
        classes: how many there are.
        known: the ids of those that a mean over classes is taken of.
        weights: how often each entry counts, float64 [resamples, entries].

    Returns:
        float64 [resamples]. Of the mean over classes, those that a resample lacks are left out; a class that has no
        value in all examples gives NaN, as in TFMA.
    """
    actual = _by_class(weights, labels, classes)
    answered = _by_class(weights, chosen, classes)
    hits = _by_class(weights * (labels == chosen), labels, classes)
    divisor = {"precision": answered, "f1": (actual + answered) / 2}.get(want.metric, actual)
    with np.errstate(invalid="ignore"):
        ratios = hits / divisor
    if want.class_id is not None:
        one: Numbers = ratios[:, want.class_id]
        return one
    ratios = ratios[:, list(known)]
    if len(ratios) == 1:
        return np.array([ratios.mean()])
    counted = ~np.isnan(ratios)
    mean: Numbers = np.nansum(ratios, axis=1) / np.maximum(counted.sum(axis=1), 1)
    return mean


def _by_class(weights: Numbers, ids: Ids, classes: int) -> Numbers:
    """Sum the weights of each class, float64 [resamples, classes]; -1 is of no class."""
    of_class = sparse.csr_array((ids >= 0, (np.maximum(ids, 0), np.arange(len(ids)))), (classes, len(ids)))
    sums: Numbers = (of_class @ weights.T).T
    return sums


def _resampled(
    want: Wanted, labels: Ids, chosen: Sequence[Ids], classes: int, known: Sequence[int]
) -> list[Numbers]:
    """Return a ratio of counts of each model on the same resamples of the examples, float64 [resamples] each.

    Examples with equal labels and answers are interchangeable, so that a resample is one multinomial draw of their
    counts.
    """
    cells, counts = np.unique(np.stack([labels, *chosen]), axis=1, return_counts=True)
    random = np.random.default_rng(SEED)
    found: list[list[Numbers]] = [[] for _ in chosen]
    at_once = max(1, min(RESAMPLES, _MOST_WEIGHTS // len(counts)))
    for start in range(0, RESAMPLES, at_once):
        size = min(at_once, RESAMPLES - start)
        weights = random.multinomial(len(labels), counts / len(labels), size).astype(np.float64)
        for column, of_model in zip(cells[1:], found, strict=True):
            of_model.append(_ratios(want, cells[0], column, classes, known, weights))
    return [np.concatenate(parts) for parts in found]


def _error_of_mean(values: npt.NDArray[np.float64]) -> float:
    """Return the bootstrap's standard error of a mean, which needs no resamples (Efron and Tibshirani, section 5.2)."""
    return float(values.std() / np.sqrt(len(values)))


def _wilson(hits: int, examples: int) -> tuple[float, float] | None:
    if not examples:
        return None
    found = stats.binomtest(hits, examples).proportion_ci(0.95, method="wilson")
    return float(found.low), float(found.high)
