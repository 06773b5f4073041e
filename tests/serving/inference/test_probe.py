"""Which requests are joined without being told; with real graphs in `tests/serving/engine/test_operations.py`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from serving.engine.signature import Signature, TensorSpec
from serving.inference.probe import joinable
from serving.messages.dtypes import Array


class Model:
    """Answers by a function."""

    def __init__(self, spec: TensorSpec, function: Any) -> None:
        self.signatures = {"predict": Signature({"x": spec}, {"y": spec})}
        self.signature_defs: Mapping[str, Any] = {}
        self.steady = self.pure = frozenset({"predict"})
        self.ran: list[Array] = []
        self._function = function

    def run(
        self, signature_name: str, inputs: Mapping[str, Array], output_filter: Sequence[str] | None = None
    ) -> dict[str, Array]:
        del signature_name, output_filter
        self.ran.append(inputs["x"])
        return {"y": self._function(inputs["x"])}

    def run_tensors(self, feeds: Sequence[tuple[str, Array]], fetches: Sequence[str]) -> list[Array]:
        raise NotImplementedError

    def close(self) -> None: ...


NUMBERS = TensorSpec("x:0", "DT_FLOAT", (None, 2))


@pytest.mark.parametrize("dtype", ["DT_QUINT8", "DT_INVALID", "DT_VARIANT"])
def test_a_type_without_numbers_is_not_tried(dtype: str) -> None:
    assert joinable(Model(TensorSpec("x:0", dtype, (None,)), lambda x: x), {}) == frozenset()


def test_a_model_that_refuses_what_is_made_up_is_not_joined() -> None:
    def refuse(x: Array) -> Array:
        raise ValueError(x)

    assert joinable(Model(NUMBERS, refuse), {}) == frozenset()


def test_samples_are_tried_if_three_of_them_differ() -> None:
    samples = [{"x": np.full((1, 2), n, np.float32)} for n in (1, 1, 5, 9, 7)]
    model = Model(NUMBERS, lambda x: x * 2)
    assert joinable(model, {"predict": samples}) == {"predict"}
    assert [row[0, 0] for row in model.ran[:3]] == [1, 5, 9]
    alike = Model(NUMBERS, lambda x: x * 2)
    assert joinable(alike, {"predict": samples[:2] * 3}) == {"predict"}
    assert model.ran[0].tolist() != alike.ran[0].tolist(), "rows that are equal prove nothing"


def test_the_order_of_rows_is_tried_both_ways() -> None:
    samples = [{"x": np.full((1, 2), n, np.float32)} for n in (1, 2, 3)]
    assert joinable(Model(NUMBERS, lambda x: np.sort(x, axis=0)), {"predict": samples}) == frozenset()


def test_small_answers_are_compared_by_their_size() -> None:
    def mixes(x: Array) -> Array:
        mixed: Array = (x - x.mean(axis=0)) * 1e-5
        return mixed

    assert joinable(Model(NUMBERS, mixes), {}) == frozenset()
    assert joinable(Model(NUMBERS, lambda x: x * 1e-9), {}) == {"predict"}


def test_rounding_differs_and_not_a_number_is_itself() -> None:
    def rounded(x: Array) -> Array:
        return np.where(x > 1, np.nan, x * (1 + 1e-6 * len(x)))

    assert joinable(Model(NUMBERS, rounded), {}) == {"predict"}
