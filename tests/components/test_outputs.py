import numpy as np
import pytest

from components.outputs import METRIC, OutputFaults, output_check, output_faults


def test_each_kind_of_fault_is_counted_once_and_explained() -> None:
    answers = np.array(
        [
            [0.2, 0.8],
            [np.nan, 1.0],
            [np.inf, 0.0],
            [-1.5, 2.5],  # 1 in sum, and logits all the same
            [0.7, 0.7],
            [0.0, 0.0],
        ],
        np.float32,
    )
    faults = output_faults(answers)
    assert faults == OutputFaults(rows=6, not_finite=2, negative=1, unnormalized=2)
    check = output_check(faults)
    assert (check.status, check.value, check.bound, check.metric) == ("failed", 5, 0, METRIC)
    for words in ("5 of 6 rows", "2 NaN or infinite", "1 negative", "model.output: logits", "2 not 1 in sum"):
        assert words in check.sentence()


def test_probabilities_pass_and_faults_add_up() -> None:
    good = output_faults(np.random.default_rng(1).dirichlet(np.ones(10), 500).astype(np.float16))
    assert output_check(good).status == "passed"
    assert good + output_faults(np.full((3, 10), np.nan)) == OutputFaults(rows=503, not_finite=3)


@pytest.mark.parametrize("classes", [2, 10, 100])
def test_eight_bits_may_round_and_nothing_else_may(classes: int) -> None:
    exact = np.random.default_rng(classes).dirichlet(np.ones(classes), 2000)
    rounded = np.round(exact * 256) / 256
    assert output_faults(rounded, quantized=True).count <= 1, "four standard deviations"
    if classes > 2:  # two complements are rounded alike
        assert output_faults(rounded).count > 100
    assert output_faults(exact * 1.5, quantized=True).count > 1500
