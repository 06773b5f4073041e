"""The section `data.csv:`: how delimited text is read."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from components.config import Section
from serving.messages.missing import TOKENS

FeatureType = Literal["string", "int", "float"]


def _tokens(given: Any) -> Any:
    """Read -999 and null, which are no text in YAML, as the text that they are in a file."""
    if not isinstance(given, list | tuple):
        return given
    plain = ["null" if token is None else token for token in given]
    return [str(token) if type(token) in (int, float) else token for token in plain]


class CsvOptions(Section):
    """How delimited text is read; the defaults are RFC 4180 with a header line, in UTF-8.

    Types that are not given are inferred: int if every value is a whole number of 64 bits, else float if every one
    is a number, else string. Numbers with leading zeros and those too long to be exact are strings. A column without
    a name is called as pandas calls it, `Unnamed: 0` by its position. A column that no stage reads and whose name is
    there twice, or has a line break, is left out, and `ingest.json` says so.
    """

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
    encoding: Annotated[
        str,
        Field(description="of the text, as Python calls it: utf-8, latin-1, cp1252, utf-16, shift_jis, …"),
    ] = "utf-8"
    missing: Annotated[
        tuple[str, ...],
        BeforeValidator(_tokens),
        Field(
            description="cells that stand for a missing value, beside the empty one; by default those of pandas. "
            "A label that is listed in data.classes is a class all the same"
        ),
    ] = TOKENS
    features: Annotated[
        dict[str, FeatureType] | None,
        Field(description="type of each feature; inferred from the first 1,000 rows if absent"),
    ] = None

    @field_validator("delimiter")
    @classmethod
    def _divides(cls, delimiter: str) -> str:
        if delimiter in '"\r\n\0\\' and delimiter:
            raise ValueError(f'{delimiter!r} cannot divide cells; it is a comma, ;, | or "\\t", or such')
        return delimiter

    @field_validator("delimiter", mode="before")
    @classmethod
    def _tab(cls, delimiter: Any) -> Any:
        r"""Read \t as a tab however it is quoted: in YAML, only double quotes make it one."""
        return "\t" if delimiter == "\\t" else delimiter

    @field_validator("encoding")
    @classmethod
    def _known(cls, encoding: str) -> str:
        try:
            "".encode(encoding, "surrogateescape").decode(encoding, "surrogateescape")
        except (LookupError, ValueError, UnicodeError):
            raise ValueError(
                f"{encoding!r} is no encoding that Python knows; common ones are utf-8, cp1252, latin-1, utf-16"
            ) from None
        return encoding

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.header and not self.columns:
            raise ValueError("csv.header is false, so csv.columns must name the columns, in order")
        if self.columns and len(set(self.columns)) < len(self.columns):
            raise ValueError("csv.columns names a column twice")
        if bad := [name for name in self.columns or () if not name or {"\n", "\r"} & set(name)]:
            raise ValueError(f"csv.columns: a name is not empty and has no line break, unlike {bad[0]!r}")
        if self.rest_in_last_column and self.quoting:
            raise ValueError("csv.rest_in_last_column needs csv.quoting: false")
        return self
