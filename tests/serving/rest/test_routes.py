"""Paths: what they ask for, and what they are refused with."""

import pytest

from serving.errors import ServingError
from serving.inference.dataplane import ModelRef
from serving.rest.routes import Route, parse


def test_paths() -> None:
    assert parse("GET", "/v1/models") == Route(ModelRef("", None, None), "list")
    assert parse("POST", "/v1/models/a%20b/versions/0012:predict") == Route(ModelRef("a b", 12), "predict")
    assert parse("GET", "/v1/models/m/labels/stable/metadata") == Route(
        ModelRef("m", None, "stable"), "metadata"
    )


@pytest.mark.parametrize("digits", [str(2**63), "9" * 30, "9" * 5000, "0" * 6000 + "1"])
def test_versions_that_no_integer_holds_are_refused(digits: str) -> None:
    with pytest.raises(ServingError, match=r"Failed to convert version: \d{1,100} to numeric"):
        parse("GET", f"/v1/models/m/versions/{digits}")
