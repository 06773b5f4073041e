"""The `data:` section: where the raw data is, what it looks like, how it is split."""

import re
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from components.config import Section

DataFormat = Literal["csv", "tfrecord", "images", "idx"]
FeatureType = Literal["string", "int", "float"]

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


class CsvOptions(Section):
    """How delimited text is read; the defaults are RFC 4180 with a header line, in UTF-8."""

    delimiter: Annotated[
        str, Field(min_length=1, max_length=1, description='one character; "\\t" for TSV')
    ] = ","
    quoting: Annotated[bool, Field(description='false: a " is an ordinary character')] = True
    header: Annotated[bool, Field(description="the first line holds the names of the columns")] = True
    columns: Annotated[
        list[str] | None, Field(description="names of the columns: without a header, or to rename them")
    ] = None
    rest_in_last_column: Annotated[
        bool, Field(description="the last column takes the rest of the line, delimiters included")
    ] = False
    features: Annotated[
        dict[str, FeatureType] | None,
        Field(description="type of each feature; inferred from the first 1,000 rows if absent"),
    ] = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.header and not self.columns:
            raise ValueError("csv.header is false, so csv.columns must name the columns, in order")
        if self.columns and len(set(self.columns)) < len(self.columns):
            raise ValueError("csv.columns names a column twice")
        if self.rest_in_last_column and self.quoting:
            raise ValueError("csv.rest_in_last_column needs csv.quoting: false")
        return self


class DataConfig(Section):
    """Raw data and how it becomes examples.

    Exactly one of `path` (split by hash) and `splits` (one path each) is set. Paths are fsspec URLs (local,
    `s3://`, `gs://`) of a file, a glob or a folder; relative ones start at the working folder.
    """

    format: Annotated[
        DataFormat, Field(description="csv, tfrecord (of tf.Example), images (class/name.png), idx")
    ]
    path: Annotated[str | None, Field(description="file, glob or folder, to be split by hash")] = None
    splits: Annotated[Splits | None, Field(description="file, glob or folder for each split")] = None
    ratios: Annotated[Ratios, Field(description="shares of the hash split")] = Ratios()
    label: Annotated[str, Field(min_length=1, description="name of the label feature")] = "label"
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
        if self.format != "csv" and "csv" in self.model_fields_set:
            raise ValueError(f"data.csv has no effect with format: {self.format}: remove it")
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

    def sources(self) -> list[tuple[str | None, str]]:
        """Return each path with the split it belongs to; None if the hash decides."""
        if self.path is not None:
            return [(None, self.path)]
        named = self.splits.model_dump(exclude_none=True) if self.splits else {}
        return [(split, named[split]) for split in SPLITS if split in named]

    def split_names(self) -> list[str]:
        """Return the names of the splits, in the order train, eval, test."""
        if self.splits:
            return [split for split, _ in self.sources() if split]
        return [split for split in SPLITS if getattr(self.ratios, split)]
