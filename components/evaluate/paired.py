"""Is a drop more than chance? Two models that answered the same examples, judged by where their answers differ.

A drop of up to `max_drop` is allowed. Two mistakes are possible, and each is made in at most 5 % of cases:

- to refuse a model that is as good as the other: a drop beyond `max_drop` is a failure only if such a drop, or a larger
  one, would be seen in less than 5 % of comparisons of equally good models (divided by the number of comparisons in one
  verdict: Bonferroni);
- to pass a model that is worse by twice `max_drop`: a smaller drop is a pass only if one of twice `max_drop` can be
  ruled out.

What is neither is undecided: the examples are too few.
"""

import math
from dataclasses import dataclass, replace

from scipy import stats

from components.verdict import Status

#: The probability of either mistake.
LEVEL = 0.05
#: The probability with which the drop that is told as the smallest visible one would be seen.
_POWER = 0.8
#: Values are means of float32, so a bound that is missed by their rounding error alone is met.
ROUNDING = 1e-6


@dataclass(frozen=True)
class Comparison:
    """Two models' values of one metric on the same examples.

    Attributes:
        examples: how many.
        value: the candidate's.
        baseline: that of the model compared with.
        drop: by how much the candidate is worse; negative if it is better.
        error: the standard error of `drop`.
        changed: for a share: how many examples only the baseline, and how many only the candidate answers right.
    """

    examples: int
    value: float
    baseline: float
    drop: float
    error: float
    changed: tuple[int, int] | None = None

    def chance(self) -> float:
        """Return how probable this drop, or a larger one, is between equally good models.

        For shares this is McNemar's test in its exact form, one-sided: of the examples on which just one of the two
        is right, each is as likely to be the one as the other's (Q. McNemar, Psychometrika 12, 1947).
        """
        if self.changed is not None:
            worse, better = self.changed
            if worse + better == 0:
                return 1.0
            return float(stats.binomtest(worse, worse + better, alternative="greater").pvalue)
        if self.error == 0:
            return 0.0 if self.drop > 0 else 1.0
        return float(stats.norm.sf(self.drop / self.error))

    def rules_out(self, drop: float) -> bool:
        """Tell whether the candidate is surely (at 95 %) not worse by `drop` > 0 or more.

        For shares this is the score test of T. Tango (Statistics in Medicine 17, 1998), which holds for few examples
        and for few differences too.
        """
        if self.changed is None:
            return bool(self.drop + stats.norm.isf(LEVEL) * self.error < drop)
        if drop >= 1:
            return True
        n, (worse, better) = self.examples, self.changed
        a = 2 * n
        b = -worse - better + (2 * n - worse + better) * drop
        c = -better * drop * (1 - drop)
        only_better = (math.sqrt(b * b - 4 * a * c) - b) / (2 * a)
        spread = math.sqrt(n * (2 * only_better + drop * (1 - drop)))
        return bool((worse - better - n * drop) / spread < -stats.norm.isf(LEVEL))

    def visible(self, level: float) -> float:
        """Return the smallest true drop that would be found to be no chance in 80 % of such comparisons."""
        factor = float(stats.norm.isf(level) + stats.norm.ppf(_POWER))
        if self.changed is None:
            return factor * self.error
        # Fewer examples than `least` could all have changed for the worse, and it might still be chance.
        least = math.ceil(math.log2(1 / level))
        return max(factor * math.sqrt(sum(self.changed)), least) / self.examples


def decide(
    found: Comparison, max_drop: float, comparisons: int = 1, share: bool = True
) -> tuple[Status, str]:
    """Decide whether a model is worse than allowed, and say why if that is not plain from the numbers.

    Args:
        found: the comparison.
        max_drop: how much worse the candidate may be; 0: not at all; negative: how much better it must be.
        comparisons: how many are made in one verdict.
        share: whether the metric is a share, whose differences are told in points of a hundred.
    """
    level = LEVEL / comparisons
    beyond = found.drop > max_drop + ROUNDING
    chance = found.chance()
    if max_drop < 0:
        # An improvement is demanded: one that is there and no chance.
        changed = found.changed and (found.changed[1], found.changed[0])
        better = replace(found, drop=-found.drop, changed=changed)
        if beyond:
            return "failed", ""
        if better.chance() < LEVEL:
            return "passed", ""
        return "undecided", f"the improvement may be chance; {_unseen(found, LEVEL, share)}"
    if beyond and chance < level:
        return "failed", f"more than chance: {_counts(found)}p = {chance:.2g}"
    if beyond:
        return (
            "undecided",
            f"may be chance ({_counts(found)}p = {chance:.2g}): {_unseen(found, level, share)}",
        )
    if max_drop == 0 or found.rules_out(2 * max_drop):
        return "passed", ""
    return "undecided", _unseen(found, level, share)


def _counts(found: Comparison) -> str:
    if found.changed is None:
        return ""
    return f"{found.changed[0]} answers got worse and {found.changed[1]} better, "


def _unseen(found: Comparison, level: float, share: bool) -> str:
    size = found.visible(level)
    drop = f"{100 * size:.2g} points" if share else f"{size:.2g}"
    return f"with {found.examples:,} examples a drop below {drop} cannot be seen"
