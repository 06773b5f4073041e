from components.push.approval import approved
from components.verdict import Verdict


def _verdict(gate: str, digest: str, baseline: str | None = None, passed: bool = True) -> Verdict:
    return Verdict(gate=gate, passed=passed, digest=digest, checks=(), baseline_digest=baseline)


DATA, FIRST = _verdict("data", "d"), _verdict("evaluate", "float", baseline="released")


def test_without_later_gates_it_is_what_gate_1_judged() -> None:
    assert approved([DATA, FIRST]) == {"float"}


def test_a_variant_is_approved_by_the_gate_that_judged_it_against_what_gate_1_passed() -> None:
    assert approved([DATA, FIRST, _verdict("optimize", "int8", baseline="float")]) == {"int8"}


def test_the_canary_judges_the_very_model_that_is_released() -> None:
    picked = _verdict("optimize", "int8", baseline="float")
    assert approved([DATA, FIRST, picked, _verdict("canary", "int8")]) == {"int8"}
    assert approved([DATA, FIRST, picked, _verdict("canary", "float")]) == set()
    assert approved([DATA, FIRST, _verdict("canary", "float")]) == {"float"}


def test_a_refusal_or_a_verdict_on_another_model_approves_nothing() -> None:
    other = _verdict("optimize", "int8", baseline="another float")
    refused = _verdict("optimize", "int8", baseline="float", passed=False)
    bad_data = _verdict("data", "d", passed=False)
    assert approved([DATA, FIRST, other]) == set()
    assert approved([DATA, FIRST, refused]) == set()
    assert approved([bad_data, FIRST]) == set()
    assert approved([DATA]) == set()
