"""The `data:` section: where the raw data is, what it looks like, how it is split."""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from components.config import Section
from components.ingest.csv_config import CsvOptions

DataFormat = Literal["csv", "tfrecord", "images", "idx"]

SPLITS = ("train", "eval", "test")


class Ratios(Section):
    """Shares of the hash split; 8:1:1 puts about 80 % of the rows into `train`. 0 leaves `test` out."""

    train: Annotated[int, Field(ge=1, description="parts that go to train")] = 8
    eval: Annotated[int, Field(ge=1, description="parts that go to eval, which early stopping watches")] = 1
    test: Annotated[
        int, Field(ge=0, description="parts that only the gates see (if 0, they judge on eval)")
    ] = 1


class Splits(Section):
    """A file, glob or folder for each split, for data that is already split."""

    train: Annotated[str, Field(description="what the model is fitted to")]
    eval: Annotated[str, Field(description="what early stopping watches")]
    test: Annotated[
        str | None, Field(description="what only the gates see (without it, they judge on eval)")
    ] = None


def moment(text: str) -> datetime:
    """Read an ISO 8601 date or time; without a time zone it is in UTC.

    Raises:
        ValueError: it is none.
    """
    read = datetime.fromisoformat(text)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _bound(value: Any) -> Any:
    """Keep a number as it is, and a date, which YAML reads as such, as its ISO text."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        try:
            moment(value)
        except ValueError:
            raise ValueError(f"{value!r} is neither a number nor a date, such as 2026-01-31") from None
    return value


Bound = Annotated[int | float | str, BeforeValidator(_bound)]


class SplitByTime(Section):
    """Older rows train, newer ones judge: numbers, or ISO 8601 dates and times (in UTC unless they say otherwise)."""

    column: Annotated[str, Field(description="the column or feature with the time; a row without it is bad")]
    eval_from: Annotated[Bound, Field(description="rows before it are train")]
    test_from: Annotated[
        Bound | None,
        Field(description="rows from eval_from to before it are eval, the rest test; null: no test"),
    ] = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        first, second = self.eval_from, self.test_from
        if second is None:
            return self
        if isinstance(first, str) != isinstance(second, str):
            raise ValueError("eval_from and test_from are both numbers or both dates")
        if isinstance(first, str) and isinstance(second, str):
            late = moment(first) >= moment(second)
        else:
            late = float(first) >= float(second)
        if late:
            raise ValueError(f"eval_from ({first}) must be before test_from ({second})")
        return self


class DataConfig(Section):
    """Raw data and how it becomes examples.

    Exactly one of `path` (split by a rule) and `splits` (one path each) is set. Paths are fsspec URLs (local,
    `s3://`, `gs://`) of a file, a glob or a folder; relative ones start at the working folder.

    What is at `path` is split by the hash of the label and of `preprocess.inputs`, so a row stays in its split whatever
    the next delivery adds. Where rows belong together, or the future is to be predicted, say so by `split_by` or
    `split_by_time`.
    """

    format: Annotated[
        DataFormat, Field(description="csv, tfrecord (of tf.Example), images (class/name.png), idx")
    ]
    path: Annotated[str | None, Field(description="file, glob or folder, to be split")] = None
    splits: Annotated[Splits | None, Field(description="file, glob or folder for each split")] = None
    ratios: Annotated[Ratios, Field(description="shares of the hash split")] = Ratios()
    split_by: Annotated[
        list[str] | None,
        Field(
            min_length=1,
            description="columns of a group, such as a customer: rows with equal values are never in two splits; a row "
            "without a value for any of them is bad",
        ),
    ] = None
    split_by_time: Annotated[SplitByTime | None, Field(description="older rows train, newer ones judge")] = (
        None
    )
    label: Annotated[
        str, Field(min_length=1, pattern=r"^[^\r\n]*$", description="name of the label feature")
    ] = "label"
    classes: Annotated[
        list[str] | None,
        Field(
            min_length=2,
            description="all labels; a row with any other is bad. With idx: the names of 0, 1, 2, …",
        ),
    ] = None
    max_bad_share: Annotated[
        float, Field(ge=0, lt=1, description="share of rows that may be refused before the run stops")
    ] = 0.0
    csv: Annotated[CsvOptions, Field(description="how delimited text is read")] = CsvOptions()
    make: Annotated[
        str | None, Field(description='"module:function" called with `path` if that does not exist')
    ] = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.path is None) == (self.splits is None):
            raise ValueError("set exactly one of data.path (split by hash) and data.splits (a path each)")
        if self.splits and "ratios" in self.model_fields_set:
            raise ValueError("data.ratios has no effect with data.splits: remove one of them")
        self._check_split()
        if self.format != "csv" and "csv" in self.model_fields_set:
            raise ValueError(f"data.csv has no effect with format: {self.format}: remove it")
        if self.path == "":
            raise ValueError("data.path is empty: name a file, a glob or a folder")
        if "" in (self.classes or ()):
            raise ValueError("data.classes has an empty name, which no label can have")
        if self.format in ("images", "idx") and self.label == "image":
            raise ValueError(
                "data.label is 'image', which is what the picture itself is called: choose another"
            )
        if self.classes and len(set(self.classes)) < len(self.classes):
            raise ValueError("data.classes names a class twice")
        if self.make:
            if not re.fullmatch(r"[\w.]+:\w+", self.make):
                raise ValueError('data.make must be "module:function", such as data.digits:write')
            if self.path is None:
                raise ValueError("data.make needs data.path, the folder to write to")
        columns = self.csv.columns
        if columns and self.label not in columns:
            raise ValueError(f"the label {self.label!r} is not among csv.columns {columns}")
        types = self.csv.features or {}
        if types.get(self.label, "string") != "string":
            raise ValueError(f"the label {self.label!r} is always a string; leave it out of csv.features")
        if unknown := sorted(set(types) - set(columns or types)):
            raise ValueError(f"csv.features names {unknown}, which csv.columns does not have")
        return self

    def _check_split(self) -> None:
        by = [name for name in ("split_by", "split_by_time") if getattr(self, name)]
        if len(by) == 2:
            raise ValueError("data.split_by and data.split_by_time exclude each other: remove one of them")
        if by and self.splits:
            raise ValueError(f"data.{by[0]} has no effect with data.splits: remove one of them")
        if self.split_by_time and "ratios" in self.model_fields_set:
            raise ValueError("data.ratios has no effect with data.split_by_time: remove it")
        named = [*(self.split_by or []), *([self.split_by_time.column] if self.split_by_time else [])]
        if self.format in ("images", "idx") and (wrong := set(named) - {"image", self.label}):
            raise ValueError(
                f"data.{by[0]} names {sorted(wrong)}, but format {self.format} has only image and {self.label}"
            )
        columns = self.csv.columns
        if columns and (wrong := set(named) - set(columns)):
            raise ValueError(f"data.{by[0]} names {sorted(wrong)}, which csv.columns does not have")

    def sources(self) -> list[tuple[str | None, str]]:
        """Return each path with the split it belongs to; None if a rule decides."""
        if self.path is not None:
            return [(None, self.path)]
        named = self.splits.model_dump(exclude_none=True) if self.splits else {}
        return [(split, named[split]) for split in SPLITS if split in named]

    def split_names(self) -> list[str]:
        """Return the names of the splits, in the order train, eval, test."""
        if self.splits:
            return [split for split, _ in self.sources() if split]
        if self.split_by_time:
            return list(SPLITS if self.split_by_time.test_from is not None else SPLITS[:2])
        return [split for split in SPLITS if getattr(self.ratios, split)]
