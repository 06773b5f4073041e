from typing import Any

import pytest
from pydantic import ValidationError

from components.ingest.config import DataConfig

TIME = {"column": "day", "eval_from": "2026-01-01"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "exactly one of data.path"),
        ({"path": "a", "splits": {"train": "a", "eval": "b"}}, "exactly one of data.path"),
        ({"splits": {"train": "a", "eval": "b"}, "ratios": {"train": 1}}, "no effect with data.splits"),
        ({"splits": {"train": "a"}}, "splits.eval"),
        ({"path": "a", "format": "idx", "csv": {"quoting": False}}, "no effect with format: idx"),
        ({"path": "a", "classes": ["x", "x"]}, "names a class twice"),
        ({"path": "a", "classes": ["x"]}, "at least 2"),
        ({"path": "a", "make": "data.digits"}, "module:function"),
        ({"splits": {"train": "a", "eval": "b"}, "make": "data.digits:write"}, "needs data.path"),
        ({"path": "a", "csv": {"header": False}}, "csv.columns must name"),
        ({"path": "a", "csv": {"columns": ["text"]}}, "'label' is not among"),
        ({"path": "a", "csv": {"columns": ["label", "label"]}}, "names a column twice"),
        ({"path": "a", "csv": {"rest_in_last_column": True}}, "needs csv.quoting: false"),
        ({"path": "a", "csv": {"features": {"label": "int"}}}, "always a string"),
        ({"path": "a", "csv": {"columns": ["label"], "features": {"age": "int"}}}, "does not have"),
        ({"path": "a", "csv": {"columns": ["label", "a\nb"]}}, "has no line break, unlike"),
        ({"path": "a", "csv": {"encoding": "utf-99"}}, "'utf-99' is no encoding that Python knows"),
        ({"path": "a", "csv": {"encoding": "base64"}}, "'base64' is no encoding"),
        ({"path": "a", "csv": {"encoding": "idna"}}, "'idna' is no encoding"),
        ({"path": "a", "csv": {"delimiter": '"'}}, "cannot divide cells"),
        ({"path": "a", "classes": ["x", ""]}, "has an empty name"),
        ({"path": "a", "format": "images", "label": "image"}, "choose another"),
        ({"path": "a", "csv": {"missing": [True]}}, "valid string"),
        ({"path": "a", "label": "a\nb"}, "should match pattern"),
        ({"path": "a", "ratios": {"train": 0}}, "greater than or equal to 1"),
        ({"path": "a", "max_bad_share": 1}, "less than 1"),
        ({"path": "a", "delimiter": ","}, "Extra inputs"),
        ({"path": "a", "split_by": ["x"], "split_by_time": TIME}, "exclude each other"),
        ({"splits": {"train": "a", "eval": "b"}, "split_by": ["x"]}, "no effect with data.splits"),
        ({"splits": {"train": "a", "eval": "b"}, "split_by_time": TIME}, "no effect with data.splits"),
        ({"path": "a", "ratios": {"train": 1}, "split_by_time": TIME}, "no effect with data.split_by_time"),
        ({"path": "a", "split_by_time": {**TIME, "eval_from": "May"}}, "neither a number nor a date"),
        ({"path": "a", "split_by_time": {**TIME, "test_from": 3}}, "both numbers or both dates"),
        ({"path": "a", "split_by_time": {**TIME, "test_from": "2025-12-31"}}, "must be before test_from"),
        ({"path": "a", "format": "images", "split_by": ["person"]}, "has only image and label"),
        ({"path": "a", "split_by": ["x"], "csv": {"columns": ["label"]}}, "csv.columns does not have"),
    ],
)
def test_what_does_not_fit_together_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        DataConfig.model_validate({"format": "csv", **fields})


def test_a_tab_is_one_however_it_is_quoted() -> None:
    config = DataConfig.model_validate({"format": "csv", "path": "a", "csv": {"delimiter": "\\t"}})
    assert config.csv.delimiter == "\t"


def test_splits_are_named_by_ratios_or_by_paths() -> None:
    hashed = DataConfig.model_validate({"format": "csv", "path": "a", "ratios": {"test": 0}})
    assert hashed.split_names() == ["train", "eval"]
    assert hashed.sources() == [(None, "a")]
    timed = DataConfig.model_validate({"format": "csv", "path": "a", "split_by_time": TIME})
    assert timed.split_names() == ["train", "eval"]
    named = DataConfig.model_validate({"format": "csv", "splits": {"train": "a", "eval": "b"}})
    assert named.split_names() == ["train", "eval"]
    assert named.sources() == [("train", "a"), ("eval", "b")]
