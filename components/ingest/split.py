"""Which split a row belongs to: by the hash of what is read from it, by a group, or by time.

Only the columns that the rule names count, not their order in the file nor what else a row has, so that a column more
in the next delivery moves no row from training to the gates.
"""

import bisect
import hashlib
import itertools
from array import array
from collections.abc import Mapping, Sequence
from typing import Any, cast

from components.ingest.config import SPLITS, DataConfig, moment
from components.listing import listed

Values = Mapping[str, Sequence[bytes | int | float]]

#: Integers up to here are whole as float32 too, so a column that turns from one into the other keeps its rows.
_WHOLE = 2**24


class SplitError(ValueError):
    """The rule says nothing of this row; the message is the reason."""


def split_rule(config: DataConfig, inputs: Sequence[str]) -> dict[str, Any]:
    """Return what decides the split, as plain JSON: two data sets with the same rule are split alike.

    Args:
        config: the `data:` section.
        inputs: the raw features that the model reads.

    Returns:
        `by` is `hash`, with its `columns` and `ratios`; `time`, with its `column`, `eval_from` and `test_from`; or
        `files`, if each split has its own.
    """
    if config.splits:
        return {"by": "files"}
    if config.split_by_time:
        return {"by": "time", **config.split_by_time.model_dump()}
    columns = sorted(config.split_by) if config.split_by else [config.label, *sorted(inputs)]
    return {"by": "hash", "columns": columns, "ratios": config.ratios.model_dump()}


def split_of(values: Values, rule: Mapping[str, Any], group: bool = False) -> str:
    """Return the split of a row: equal values of the rule's columns always get the same.

    Args:
        values: the row's values by feature; a missing one has none, or no key.
        rule: by hash or by time, as `split_rule` returns it.
        group: whether the columns name a group, as in `data.split_by`, so that one of them must have a value.

    Raises:
        SplitError: the row belongs to no group, or its time is missing or cannot be compared.
    """
    if rule["by"] == "time":
        return _by_time(values, rule)
    columns = rule["columns"]
    if group and not any(values.get(column) for column in columns):
        raise SplitError(
            f"no value of {listed(columns)} (data.split_by), so it is in no group; it has {listed(sorted(values))}"
        )
    names = [name for name in SPLITS if rule["ratios"][name]]
    bounds = list(itertools.accumulate(rule["ratios"][name] for name in names))
    digest = hashlib.sha256(b"".join(_canonical(values.get(column, ())) for column in columns)).digest()
    return names[bisect.bisect(bounds, int.from_bytes(digest[:8], "big") % bounds[-1])]


def _canonical(values: Sequence[bytes | int | float]) -> bytes:
    """Return the values as bytes from which they can be told apart: their count, and each with its length."""
    if len(values) == 1:  # nearly always
        text = _text(values[0])
        return b"1;%d:%s" % (len(text), text)
    if values and isinstance(values[0], float):
        texts = [array("f", cast(Sequence[float], values)).tobytes()]  # long series, fast
    else:
        texts = [_text(value) for value in values]
    return b"".join([b"%d;" % len(values), *[b"%d:%s" % (len(text), text) for text in texts]])


def _text(value: bytes | float) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) <= _WHOLE:
        return b"%d" % value
    return repr(value).encode()


def _by_time(values: Values, rule: Mapping[str, Any]) -> str:
    column = rule["column"]
    found = values.get(column, ())
    if len(found) != 1:
        raise SplitError(
            f"{len(found) or 'no'} value{'s' * (len(found) > 1)} of {column!r} (data.split_by_time); "
            f"it has {listed(sorted(values))}"
        )
    for split in ("eval", "test"):
        bound = rule[f"{split}_from"]
        if bound is not None and _before(found[0], bound, column):
            return "train" if split == "eval" else "eval"
    return "eval" if rule["test_from"] is None else "test"


def _before(value: bytes | float, bound: str | float, column: str) -> bool:
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    try:
        if isinstance(bound, str):
            return moment(text) < moment(bound)
        return (float(text) if isinstance(value, bytes) else value) < bound
    except ValueError:
        raise SplitError(
            f"{column!r}: {text[:40]!r} cannot be compared with {bound!r} (data.split_by_time), which is "
            + ("a date, such as 2026-01-31" if isinstance(bound, str) else "a number")
        ) from None
