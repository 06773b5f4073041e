"""The file of the schema, and its classes against data.classes."""

from pathlib import Path
from typing import Any

import pytest

from components.schema.text import (
    SchemaError,
    check_classes,
    classes_differ,
    kept_digest,
    read_schema,
    without_comment,
    write_inferred,
    write_schema,
)


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        (None, ""),
        (["a", "b"], ""),
        (["a", "b", "c"], "only data.classes has c"),
        (["a", "z"], "only data.classes has z; only the schema has b"),
        (["b", "a"], "the order is b, a in data.classes, and a, b in the schema"),
    ],
)
def test_classes_that_differ_are_said_and_refused_with_the_way_out(
    schema: Any, classes: list[str] | None, said: str
) -> None:
    assert classes_differ(schema, "label", classes) == said
    if said:
        with pytest.raises(SchemaError, match=r"kept\.pbtxt disagree .* slipway schema --update -c x"):
            check_classes(schema, "kept.pbtxt", "label", classes, "slipway schema --update -c x")
    else:
        check_classes(schema, "kept.pbtxt", "label", classes)


def test_a_kept_schema_counts_in_the_cache_once_it_is_another_than_was_inferred(
    schema: Any, tmp_path: Path
) -> None:
    reviewed, inferred = tmp_path / "reviewed.pbtxt", tmp_path / "inferred.pbtxt"
    assert kept_digest(reviewed, inferred) == ""
    write_inferred(schema, inferred)
    assert read_schema(inferred) == schema
    assert kept_digest(reviewed, inferred) == ""
    first = inferred.read_text()
    del schema.feature[0]
    write_schema(schema, inferred)
    assert (edited := kept_digest(reviewed, inferred)) != ""
    reviewed.write_text(without_comment(first))
    assert kept_digest(reviewed, inferred) == ""
    reviewed.write_text(without_comment(inferred.read_text()))
    assert kept_digest(reviewed, inferred) == edited
