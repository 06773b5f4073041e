"""A request's JSON document, by TensorFlow Serving's rules, which differ slightly from JSON's."""

import json
import re
from functools import cached_property
from math import isinf
from typing import Any

import orjson

from serving.errors import invalid
from serving.messages.dtypes import Array
from serving.rest.numbers import NumberReader
from serving.rest.values import debug_string

_numbers = NumberReader()
#: Strings, which stay as they are, and what RapidJSON takes for a number without digits.
_UNUSUAL = re.compile(r'"(?:[^"\\]|\\.)*"|-?(?:Inf(?:inity)?|NaN)', re.DOTALL)
#: What may be too large a number for some type: many digits, or a large exponent.
_EXTREME = re.compile(r"\d{19}|[eE]\+?\d{3}")


class Body:
    """A request's JSON document, parsed when it is first needed.

    Attributes:
        data: the bytes.
        known: the key and the shape of the list of numbers that the body seems to be, or None.
        learned: the same, once it has turned out to be one.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.known = _numbers.lookup(data)
        self.learned: tuple[str, tuple[int, ...]] | None = None

    @cached_property
    def document(self) -> dict[str, Any]:
        """The parsed object."""
        return parse(self.data)

    @cached_property
    def plain(self) -> bool:
        """Whether it certainly contains no true and no false, which numpy would treat as numbers."""
        return b"true" not in self.data and b"false" not in self.data

    def numbers(self, *, integers: bool) -> Array | None:
        """Return the numbers of a `known` body, as float64 or int64; None if it is not what it seemed."""
        assert self.known, "only called if the body is known"
        return _numbers.read(self.data, *self.known, integers=integers)

    def remember(self, key: str, shape: tuple[int, ...]) -> None:
        """Remember that it was an object with only this key, and a list of numbers of this shape."""
        self.learned = (key, shape)
        _numbers.remember(self.data, key, shape)

    @property
    def signature_name(self) -> str:
        """The requested signature; empty for the default one."""
        if self.known:
            return ""
        name = self.document.get("signature_name", "")
        if not isinstance(name, str):
            raise invalid(
                f"JSON Value: {debug_string(self.document)} not formatted correctly. "
                "'signature_name' key must be a string value."
            )
        return name


def parse(data: bytes) -> dict[str, Any]:
    """Parse the JSON object of a body. NaN and Inf are valid here, and what follows the object is ignored.

    Raises:
        ServingError: the body is not a JSON object.
    """
    if not data:
        raise invalid("JSON Parse error: The document is empty")
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError:
        document = _parse_leniently(data)
    if not isinstance(document, dict):
        raise invalid(f"JSON Value: {debug_string(document)} Is not object")
    return document


def _parse_leniently(data: bytes) -> Any:
    # This preserves bytes that are not UTF-8 in strings; they may be a tensor's raw contents.
    text = data.decode("utf-8", "surrogateescape").lstrip("\ufeff \t\r\n")
    if "Inf" in text or "-NaN" in text:
        text = _UNUSUAL.sub(_as_python_has_it, text)
    # Python's decoder is five times as fast without a look at each number.
    extreme = _EXTREME.search(text) is not None
    decoder = (
        json.JSONDecoder(parse_int=_parse_int, parse_float=_parse_float) if extreme else json.JSONDecoder()
    )
    try:
        return decoder.raw_decode(text)[0]
    except json.JSONDecodeError as error:
        raise invalid(f"JSON Parse error: {error.msg}. at offset: {error.pos}") from None
    except _TooBigError as error:
        offset = text.find(error.args[0])
        raise invalid(
            f"JSON Parse error: Number too big to be stored in double. at offset: {offset}"
        ) from None
    except RecursionError:
        raise invalid("JSON Parse error: nested too deeply. at offset: 0") from None


class _TooBigError(Exception):
    """A number is beyond every double; the argument is its text."""


def _as_python_has_it(match: re.Match[str]) -> str:
    """Return RapidJSON's names of what is not a finite number as Python's decoder knows them."""
    return {"Inf": "Infinity", "-Inf": "-Infinity", "-NaN": "NaN"}.get(match[0], match[0])


def _parse_int(text: str) -> int | float:
    # Python refuses to convert thousands of digits; such a number exceeds every integer type anyway.
    return int(text) if len(text) < 40 else _parse_float(text)


def _parse_float(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise _TooBigError(text)
    return number
