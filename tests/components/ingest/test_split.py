from datetime import date
from typing import Any

import pytest

from components.ingest.config import DataConfig
from components.ingest.split import SplitError, Values, split_of, split_rule


def rule(**fields: Any) -> dict[str, Any]:
    return split_rule(DataConfig.model_validate({"format": "csv", "path": "a", **fields}), ["b", "a"])


def test_the_rule_names_what_it_reads_in_one_order() -> None:
    ratios = {"train": 8, "eval": 1, "test": 1}
    assert rule() == {"by": "hash", "columns": ["label", "a", "b"], "ratios": ratios}
    assert rule(split_by=["shop", "customer"])["columns"] == ["customer", "shop"]
    assert rule(split_by_time={"column": "day", "eval_from": date(2026, 1, 1)}) == {
        "by": "time",
        "column": "day",
        "eval_from": "2026-01-01",
        "test_from": None,
    }
    files = {"path": None, "splits": {"train": "x", "eval": "y"}}
    assert rule(**files) == {"by": "files"}


def test_the_hash_is_pinned() -> None:
    # A change here moves rows between train and eval of every user: an old eval set would leak into training.
    rows: list[Values] = [{"label": [b"yes"], "a": [i], "b": [0.5]} for i in range(12)]
    assert "".join(split_of(row, rule())[:2] for row in rows) == "trtrtetrevtrtrtrtetrtrtr"


def splits(rows: list[Values]) -> list[str]:
    return [split_of(row, rule()) for row in rows]


def test_what_is_not_read_and_how_a_number_is_written_does_not_count() -> None:
    rows: list[Values] = [{"label": [b"yes"], "a": [i], "b": [b"x"]} for i in range(200)]
    assert splits([{"more": [1], **dict(sorted(row.items()))} for row in rows]) == splits(rows)
    assert splits([{**row, "a": [float(i)]} for i, row in enumerate(rows)]) == splits(rows)
    assert splits([{**row, "a": [i + 0.5]} for i, row in enumerate(rows)]) != splits(rows)


def test_a_missing_value_is_a_value_and_lists_are_told_apart() -> None:
    def row(a: list[bytes], b: list[bytes]) -> list[Values]:
        return [{"label": [b"%d" % i], "a": a, "b": b} for i in range(200)]

    different = [row([], []), row([b""], []), row([], [b""]), row([b"x", b"y"], []), row([b"xy"], [])]
    assert len({tuple(splits(rows)) for rows in different}) == len(different)
    assert splits([{"label": one["label"]} for one in row([], [])]) == splits(row([], []))


@pytest.mark.parametrize(
    ("bounds", "values", "split"),
    [
        ({"eval_from": 10, "test_from": 20}, [9.5], "train"),
        ({"eval_from": 10, "test_from": 20}, [10], "eval"),
        ({"eval_from": 10, "test_from": 20}, [b"20"], "test"),
        ({"eval_from": 10}, [99], "eval"),
        ({"eval_from": "2026-01-01"}, [b"2025-12-31T23:59:59"], "train"),
        ({"eval_from": "2026-01-01"}, [b"2026-01-01 00:30+01:00"], "train"),
        ({"eval_from": "2026-01-01"}, [b"2026-01-01T00:00:00Z"], "eval"),
        ({"eval_from": "2026-01-01", "test_from": "2026-02-01T12:00"}, [20260202], "test"),
    ],
)
def test_by_time(bounds: dict[str, Any], values: list[Any], split: str) -> None:
    assert split_of({"day": values}, rule(split_by_time={"column": "day", **bounds})) == split


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"x": [1]}, "no value of 'day' (data.split_by_time); it has x"),
        ({"day": [1, 2]}, "2 values of 'day' (data.split_by_time); it has day"),
        (
            {"day": [b"soon"]},
            "'day': 'soon' cannot be compared with 10 (data.split_by_time), which is a number",
        ),
    ],
)
def test_a_time_that_says_nothing(values: Values, reason: str) -> None:
    with pytest.raises(SplitError) as caught:
        split_of(values, rule(split_by_time={"column": "day", "eval_from": 10}))
    assert str(caught.value) == reason
