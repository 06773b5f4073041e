"""Missing values: null in a request, and lists of different lengths, where the signature has a default for an input."""

from typing import Any

from serving.errors import invalid
from serving.messages.dtypes import Array

#: Cells of a CSV file that stand for a missing value: those of pandas' read_csv.
TOKENS = (
    "",
    "#N/A",
    "#N/A N/A",
    "#NA",
    "-1.#IND",
    "-1.#QNAN",
    "-NaN",
    "-nan",
    "1.#IND",
    "1.#QNAN",
    "<NA>",
    "N/A",
    "NA",
    "NULL",
    "NaN",
    "None",
    "n/a",
    "nan",
    "null",
)


#: So many values may lists be filled up to, however few were sent.
_MOST_FILLED = 2**20


def is_mark(default: Array) -> bool:
    """Tell whether a default is for one value of one example, so that it can stand for any of them."""
    return default.shape in ((1,), (1, 1))


def filled(values: Any, default: Array | None) -> Any:
    """Put an input's default in the place of null, and at the end of every list that is shorter than the longest.

    Args:
        values: the JSON values of one input, an entry for each example.
        default: of the input, for one example: [1] for single values, [1, 1] for lists. Without one, or with one of
            another form, the values stay as they are.

    Raises:
        ServingError: a long list among many short ones would make a tensor much larger than the request.
    """
    if default is None or not is_mark(default) or not isinstance(values, list):
        return values
    mark = default.ravel().tolist()[0]
    if isinstance(mark, bytes):
        mark = mark.decode("utf-8", "surrogateescape")
    if default.ndim == 1:
        return [mark if value is None else value for value in values] if None in values else values
    rows = [[] if value is None else value for value in values]
    if not all(isinstance(row, list) for row in rows):
        return values  # which the conversion tells
    longest = max(1, *(len(row) for row in rows)) if rows else 1
    if len(rows) * longest > max(_MOST_FILLED, 8 * sum(len(row) for row in rows)):
        raise invalid(
            f"{len(rows)} lists, of which the longest has {longest} values, would be filled up to "
            f"{len(rows) * longest} values; send lists of such different lengths in several requests"
        )
    return [
        [*(mark if item is None else item for item in row), *[mark] * (longest - len(row))] for row in rows
    ]
