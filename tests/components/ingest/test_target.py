"""When labels are taken for classes, and when for a quantity or the wrong column."""

import pytest

from components.ingest.target import alike, target_fault


@pytest.mark.parametrize(
    ("labels", "rows_each", "said"),
    [
        (
            [str(n) for n in range(25, 239)],
            2,
            "has 214 different numbers in 428 rows, such as 100 and 101: a quantity",
        ),
        ([f"{n / 8}" for n in range(21)], 500, "Slipway trains classifiers, no regressions"),
        ([f"Braund, Mr. {n}" for n in range(100)], 1, "too many to learn. Is data.label the right column"),
    ],
)
def test_a_quantity_and_a_column_of_names_are_told(labels: list[str], rows_each: int, said: str) -> None:
    assert said in (target_fault("target", dict.fromkeys(labels, rows_each)) or "")


@pytest.mark.parametrize(
    ("labels", "rows_each"),
    [
        ([str(n) for n in range(100)], 5),
        ([f"{n}.0" for n in range(40)], 10),
        ([str(n / 2) for n in range(10)], 1),
        ([f"n{n:08}" for n in range(1000)], 2),
    ],
)
def test_classes_may_be_many_or_numbers(labels: list[str], rows_each: int) -> None:
    assert target_fault("target", dict.fromkeys(labels, rows_each)) is None


def test_classes_that_may_be_meant_as_one_are_noted() -> None:
    assert alike(["x", "y", "x ", "X"]) == [
        "classes that differ only in blanks or capitals: 'X' and 'x' and 'x '"
    ]
    assert alike(["x", "y", "x1"]) == []
