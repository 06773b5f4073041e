from typing import Any

import pytest
from pydantic import ValidationError

from components.optimize.config import OptimizeConfig
from components.optimize.technique import InapplicableError, steps
from components.push.config import PushFormat


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"techniques": ["int9"]}, "'int9' is not one of saved_model, litert"),
        ({"techniques": ["distilled+int9"]}, "'distilled.int9': 'int9' is not one of"),
        ({"techniques": ["int8", "int8"]}, "names one twice"),
        ({"techniques": []}, "at least 1"),
        ({"modules": {"int8": "mine.py"}}, "not be a built-in name"),
        ({"modules": {"mine": "mine.txt"}}, "mine.txt is not a .py file"),
        ({"pruned": {"sparsity": 1}}, "less than 1"),
        ({"objective": "speed"}, "latency"),
        ({"budgets": {"max_kb": 1}}, "Extra inputs"),
    ],
)
def test_mistakes_are_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        OptimizeConfig.model_validate(fields)


def names(chain: str, push_format: PushFormat = "slipway") -> list[str]:
    return [step.name for step in steps(chain, OptimizeConfig(), push_format)]


def test_a_chain_ends_with_what_writes_files() -> None:
    assert names("int8") == ["int8"]
    assert names("distilled+int8") == ["distilled", "int8"]
    assert names("distilled") == ["distilled", "litert"]
    assert names("qat") == ["qat", "int8"]
    with pytest.raises(InapplicableError, match="int8 writes the files, so it must be the last"):
        names("int8+pruned")


def test_what_tf_serving_cannot_load_is_not_built() -> None:
    assert names("distilled", "tf_serving") == ["distilled", "saved_model"]
    assert names("xla", "tf_serving") == ["xla"]
    with pytest.raises(InapplicableError, match="TF Serving"):
        names("float16", "tf_serving")
