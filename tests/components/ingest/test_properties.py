"""Any table that Python's csv module writes is read back as it was, and its rows keep their splits."""

import csv
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.ingest import tasks
from components.ingest.config import DataConfig
from components.ingest.rows import Row
from components.ingest.split import split_of, split_rule
from tests.components.ingest.conftest import features

# A byte order mark at the start of a file is none of its first name.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufeff"), max_size=12)
NAMES = (
    TEXT.filter(lambda name: name and not {"\n", "\r"} & set(name))
    | st.sampled_from(
        ["class", "from", "sepal length (cm)", "a/b", "a.b", " ", "0", "🍎", "Größe", "NA", '"']
    )
).filter(lambda name: name != "label")
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "int": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(-(2**52), 2**52, width=32),
    "string": TEXT.map(lambda text: f"x{text}"),
}


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[Any]]]:
    """Names of columns, and rows with the label first; None is a gap."""
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    kinds = [draw(st.sampled_from(sorted(VALUES))) for _ in names]
    row = st.tuples(st.sampled_from("ab"), *[st.none() | VALUES[kind] for kind in kinds])
    return names, [list(values) for values in draw(st.lists(row, min_size=1, max_size=6))]


def expected(names: list[str], row: list[Any]) -> dict[str, Any]:
    values = dict(zip(names, row[1:], strict=True))
    found = {name: value for name, value in values.items() if value is not None}
    return {
        "label": row[0].encode(),
        **{name: value.encode() if isinstance(value, str) else value for name, value in found.items()},
    }


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(table=tables(), data=st.data())
def test_a_table_is_read_as_it_was_written(
    table: tuple[list[str], list[list[Any]]], data: st.DataObject
) -> None:
    names, rows = table
    order = data.draw(st.permutations(range(len(names) + 1)))
    header = ["label", *names]
    splits = []
    for columns in (range(len(header)), order):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.csv"
            with path.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([row[i] for i in columns] for row in [header, *rows])
            config = DataConfig(format="csv", path=str(path))
            (task,) = tasks.plan(config, names).tasks
            read = [item for item in tasks.read(task, config) if isinstance(item, Row)]
        got = [features(item) for item in read]
        assert got == [expected(names, row) for row in rows]
        for found, row in zip(got, rows, strict=True):
            for name, value in zip(names, row[1:], strict=True):
                assert value is None or isinstance(value, str) or type(found[name]) is type(value)
        rule = split_rule(config, names)
        splits.append([split_of(item.values, rule) for item in read])
    assert splits[0] == splits[1]


@given(number=st.integers(-(2**24), 2**24) | st.floats(width=32, allow_nan=False))
def test_a_number_keeps_its_split_in_a_column_of_another_type(number: float) -> None:
    config = DataConfig(format="csv", path="a")
    rule = split_rule(config, ["x"])
    assert split_of({"x": [number]}, rule) == split_of({"x": [float(np.float32(number))]}, rule)
