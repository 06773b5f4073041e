"""Comparisons of two models on the same examples: tests against their definitions, and what a gate makes of them."""

import numpy as np
import pytest
from scipy import optimize, stats

from components.evaluate.paired import Comparison, decide


def share(worse: int, better: int, examples: int, right: int | None = None) -> Comparison:
    """Two models of which `worse` examples only the baseline, and `better` only the candidate answers right."""
    both = right if right is not None else (examples - worse - better) // 2
    return Comparison(
        examples=examples,
        value=(both + better) / examples,
        baseline=(both + worse) / examples,
        drop=(worse - better) / examples,
        error=float(np.sqrt(worse + better)) / examples,
        changed=(worse, better),
    )


def test_mcnemar_is_exact() -> None:
    # Of 10 answers that changed, 9 or 10 got worse: (10 + 1) / 2**10.
    assert share(9, 1, 382).chance() == pytest.approx(11 / 1024)
    assert share(0, 0, 382).chance() == 1
    assert share(4, 0, 30).chance() == pytest.approx(1 / 16)


def _score_statistic(worse: int, better: int, examples: int, drop: float) -> float:
    """Tango's statistic by its definition: the drop less its bound, over its standard deviation under that bound."""

    def minus_likelihood(p_better: float) -> float:
        p_worse = p_better + drop
        rest = 1 - p_worse - p_better
        return -float(
            stats.multinomial.logpmf(
                [worse, better, examples - worse - better], examples, [p_worse, p_better, rest]
            )
        )

    found = optimize.minimize_scalar(
        minus_likelihood, bounds=(1e-12, (1 - drop) / 2 - 1e-12), method="bounded"
    )
    variance = examples * (2 * found.x + drop - drop**2)
    return float((worse - better - examples * drop) / np.sqrt(variance))


@pytest.mark.parametrize("counts", [(5, 3, 100), (12, 2, 50), (0, 0, 200), (1, 8, 382), (30, 28, 1000)])
@pytest.mark.parametrize("drop", [0.01, 0.02, 0.05, 0.2])
def test_a_drop_is_ruled_out_by_the_score_test(counts: tuple[int, int, int], drop: float) -> None:
    expected = _score_statistic(*counts, drop) < -stats.norm.isf(0.05)
    assert share(*counts).rules_out(drop) == expected


@pytest.mark.parametrize(
    ("worse", "better", "examples", "max_drop", "status"),
    [
        (20, 2, 400, 0.02, "failed"),  # 4.5 points, and no chance
        (8, 2, 100, 0.02, "undecided"),  # 6 points, but p = 0.055
        (9, 3, 2000, 0.02, "passed"),  # 4 points are ruled out
        (0, 0, 30, 0.02, "undecided"),  # 30 examples rule out nothing so small
        (0, 0, 200, 0.02, "passed"),
        (0, 0, 30, 0.0, "passed"),  # not worse at all is what is asked for
        (1, 0, 30, 0.0, "undecided"),
        (6, 0, 30, 0.0, "failed"),
        (0, 12, 400, -0.01, "passed"),  # an improvement by 3 points, and no chance
        (0, 4, 400, -0.01, "undecided"),  # just one point, which may be chance
        (0, 3, 400, -0.01, "failed"),  # less than one point
    ],
)
def test_what_a_gate_makes_of_a_drop(
    worse: int, better: int, examples: int, max_drop: float, status: str
) -> None:
    assert decide(share(worse, better, examples), max_drop)[0] == status


def test_it_says_how_small_a_drop_could_be_seen() -> None:
    _, message = decide(share(12, 12, 382), 0.01)
    # 2.49 standard errors, of which each is the square root of 24 in 382.
    assert message == "with 382 examples a drop below 3.2 points cannot be seen"
    _, message = decide(share(14, 2, 382), 0.01)
    assert message == "more than chance: 14 answers got worse and 2 better, p = 0.0021"
    # Nothing changed: five answers of 382 that got worse would be the first to be no chance (1 / 2**5 < 5 %).
    assert decide(share(0, 0, 60), 0.01)[1] == "with 60 examples a drop below 8.3 points cannot be seen"


def test_the_more_comparisons_the_less_may_be_chance_in_each() -> None:
    assert decide(share(9, 1, 100), 0.02)[0] == "failed"
    status, message = decide(share(9, 1, 100), 0.02, comparisons=10)
    assert status == "undecided"
    assert message.startswith("may be chance (9 answers got worse and 1 better, p = 0.011)")


def test_other_metrics_go_by_their_standard_error() -> None:
    def loss(drop: float, error: float) -> Comparison:
        return Comparison(examples=500, value=0.3 + drop, baseline=0.3, drop=drop, error=error)

    assert decide(loss(0.05, 0.01), 0.02, share=False)[0] == "failed"
    assert decide(loss(0.03, 0.03), 0.02, share=False)[0] == "undecided"
    assert decide(loss(0.0, 0.01), 0.02, share=False)[0] == "passed"
    status, message = decide(loss(0.0, 0.1), 0.02, share=False)
    assert (status, message) == ("undecided", "with 500 examples a drop below 0.25 cannot be seen")
    assert decide(loss(0.0, 0.0), 0.02, share=False)[0] == "passed"
