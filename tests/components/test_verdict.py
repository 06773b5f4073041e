from pathlib import Path

import pytest

from components.verdict import Check, judge, read_verdict, write_verdict

GOOD = Check(metric="accuracy", status="passed", value=0.9, direction="at least", bound=0.8, examples=100)
BAD = Check(
    metric="accuracy", slice="a = b", status="failed", value=0.5, direction="at least", bound=0.8, examples=40
)
UNSURE = Check(
    metric="accuracy", slice="a = c", status="undecided", value=0.0, message="3 of the 30 examples needed"
)


@pytest.mark.parametrize(
    ("checks", "passed"),
    [([GOOD], True), ([GOOD, UNSURE], True), ([GOOD, BAD], False), ([UNSURE], False), ([], True)],
)
def test_one_failure_refuses_and_nothing_decided_is_no_pass(checks: list[Check], passed: bool) -> None:
    assert judge("evaluate", "d1", checks).passed is passed


def test_a_failure_is_said_with_slice_value_bound_and_margin() -> None:
    sentence = BAD.sentence()
    assert "accuracy on a = b is 0.5 and must be at least 0.8 and misses it by 0.3" in sentence
    assert "40 examples" in sentence
    assert judge("evaluate", "d1", [GOOD, BAD]).headline().startswith("refused: accuracy on a = b is 0.5")


def test_the_headline_of_a_pass_counts_what_could_not_decide() -> None:
    assert judge("evaluate", "d1", [GOOD, UNSURE]).headline() == (
        "passed: 1 of 2 checks, 1 undecided (3 of the 30 examples needed)"
    )


def test_a_verdict_survives_its_file(tmp_path: Path) -> None:
    verdict = judge(
        "evaluate", "d1", [GOOD, BAD], baseline_digest="d0", baseline_version=3, notes=("a note",)
    )
    write_verdict(verdict, tmp_path / "new")
    assert read_verdict(tmp_path / "new") == verdict
