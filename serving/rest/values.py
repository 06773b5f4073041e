"""Names and shows JSON values in messages."""

import json
from typing import Any

_LONGEST = 256


def type_name(value: Any) -> str:
    """Return the type of a JSON value, by RapidJSON's names, which TensorFlow Serving's messages use."""
    if value is None:
        return "Null"
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, dict):
        return "Object"
    if isinstance(value, list):
        return "Array"
    return "String" if isinstance(value, str) else "Number"


def debug_string(value: Any) -> str:
    """Return a JSON value for a message, cut at 256 characters; a large one is not serialized completely."""
    text = ""
    for piece in json.JSONEncoder(ensure_ascii=True).iterencode(value):
        text += piece
        if len(text) >= _LONGEST:
            return text[:_LONGEST]
    return text
