"""What new data has that a schema has not: in words, and taken into it."""

from typing import Any

import pytest

from components.schema.diff import differences, unused, validate
from components.schema.infer import infer
from components.schema.text import classes_of
from components.schema.update import update, update_classes
from tests.components.schema.conftest import GOOD, statistics_of

READ = ("size", "count", "colour", "label")
#: By case: what the new data changes, what is said of it, what the update says.
CASES: dict[str, tuple[dict[str, list[Any] | None], str, str]] = {
    "range": (
        {"size": [3.0] * 6 + [300.0] * 2},
        "size: expected -5 to 15, found 3 to 300: outside in about 2 of 8 rows",
        "size: -145.5 to 448.5, no longer -5 to 15",
    ),
    "type": (
        {"count": [1.5] * 8},
        "count: expected whole numbers, found numbers in 8 of 8 rows",
        "count: numbers, no longer whole numbers",
    ),
    "value": (
        {"colour": ["purple"] * 3 + ["red"] * 5},
        "colour: expected blue, red; found purple too, in 3 of 8 rows",
        "colour: added purple",
    ),
    "class": (
        {"label": ["a", "b", "0", "b"] * 2},
        "label: expected a, b; found 0 too, in 2 of 8 rows",
        "label: classes a, b, 0 (added 0)",
    ),
    "gap": (
        {"size": [None] * 2 + [3.0] * 6},
        "size: expected a value in every row, found none in 2 of 8 rows",
        "size: not every row needs a value",
    ),
    "new": (
        {"extra": ["x"] * 8},
        "extra: new: the schema does not have it; found text in 8 of 8 rows",
        "extra: added, text",
    ),
    "gone": (
        {"count": None},
        "count: gone: expected whole numbers, found a value in none of 8 rows",
        "",
    ),
}


def _said(schema: Any, statistics: Any) -> list[str]:
    found = {"train": statistics}
    return [f"{one.column}: {one.text}" for one in differences(schema, found, validate(schema, found))]


@pytest.mark.parametrize("case", CASES)
def test_a_difference_is_said_in_words_and_gone_after_the_update(schema: Any, case: str) -> None:
    change, said, updated = CASES[case]
    new = statistics_of(**{k: v for k, v in {**GOOD, **change}.items() if v is not None})
    assert _said(schema, new) == [said]
    changes = update(schema, infer([new], "label", None), "label", READ)
    assert updated in changes if updated else changes == []
    assert _said(schema, new) == ([said] if case == "gone" else [])
    assert update(schema, infer([new], "label", None), "label", READ) == []


def test_only_a_column_that_no_stage_reads_is_dropped_and_that_is_said(schema: Any) -> None:
    new = statistics_of(**{k: v for k, v in GOOD.items() if k != "count"})
    changes = update(schema, infer([new], "label", None), "label", ["size", "colour", "label"])
    assert changes == ["count: dropped, which the data no longer has and no stage reads"]
    assert "count" not in {feature.name for feature in schema.feature}


def test_classes_keep_their_ids_unless_they_are_configured(schema: Any) -> None:
    new = infer([statistics_of(**{**GOOD, "label": ["c", "0"] * 4})], "label", None)
    update(schema, new, "label", READ)
    assert classes_of(schema, "label") == ["a", "b", "0", "c"]
    assert update_classes(schema, "label", ["c", "a"]) == ["label: classes c, a (dropped b, 0)"]
    assert update_classes(schema, "label", ["a", "c"]) == ["label: classes a, c (another order)"]
    assert update_classes(schema, "label", ["a", "c"]) == []


def test_what_the_schema_lists_and_the_data_lacks_is_found(schema: Any) -> None:
    new = statistics_of(**{**GOOD, "label": ["a"] * 8})
    assert unused(schema, {"train": new}) == [
        ("colour", "the schema has blue, the data has not"),
        ("label", "the schema has b, the data has not"),
    ]
