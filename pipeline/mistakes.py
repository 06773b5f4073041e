"""A mistake in the configuration in words: where it is, what was expected, and the nearest valid key."""

import difflib
from collections.abc import Sequence
from datetime import date
from typing import Any

import yaml
from pydantic import BaseModel

_SECTION = "a section is expected, with keys of its own below it: see docs/configuration.md"
_LIST = "a list is expected, such as [one, two]"
#: What pydantic calls each mistake, and how it is told.
_WORDS = {
    "model_type": _SECTION,
    "dict_type": _SECTION,
    "tuple_type": _LIST,
    "list_type": _LIST,
    "too_short": "the list has too few entries: at least {min_length} are needed",
    "invalid_key": "YAML reads this key as a number, a date, true, false or null: put it in quotes, or remove it",
    "string_type": "text is expected",
    "finite_number": "a finite number is expected",
    "string_too_short": "it is empty",
    "string_too_long": "{max_length} character{s} at most",
}
#: What pydantic adds to a place where several types are possible.
_BRANCHES = ("literal[", "dict[", "tuple[", "constrained-", "function-", "lax-or-strict")
_TYPES = ("str", "int", "float", "bool", "list", "[key]")


def told(errors: Sequence[Any], config: type[BaseModel]) -> list[str]:
    """Say each of pydantic's errors in words, each place once.

    Args:
        errors: of a `ValidationError`.
        config: the configuration's class, whose keys are the valid ones.
    """
    kept: dict[str, str] = {}
    keys = [error for error in errors if "[key]" in error["loc"]]
    for error in [*keys, *errors]:
        place = _place(error)
        # A list with a wrong entry counts as too short, and a mapping with a wrong key as no value of another type.
        inside = any(_place(other).startswith(f"{place}.") for other in errors)
        if place not in kept and not (inside and place):
            kept[place] = _explain(error, place, config)
        elif not place:
            kept[f" {len(kept)}"] = _explain(error, place, config)
    return list(kept.values())


def of_yaml(error: yaml.YAMLError) -> str:
    """Say in a line why a text is not YAML, with the line and the column."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    said = getattr(error, "problem", None) or str(error).splitlines()[0]
    if "\\t" in said:
        said = "a tab; YAML is indented by spaces"
    if "another document" in said:
        said = "a second document begins (---); one file is one configuration"
    return said + (f" (line {mark.line + 1}, column {mark.column + 1})" if mark else "")


def keys_at(section: type[BaseModel], path: Sequence[str]) -> list[str]:
    """List the valid keys of the section at a path, through optional and repeated ones and named entries."""
    fields = {field.alias or name: field for name, field in section.model_fields.items()}
    if not path:
        return list(fields)
    if path[0] not in fields:
        return []
    found = _sections(fields[path[0]].annotation)
    rest = [part for part in path[1:] if not part.isdigit()]
    if rest and str(fields[path[0]].annotation).startswith("dict["):
        rest = rest[1:]
    return keys_at(found[0], rest) if found else []


def _place(error: Any) -> str:
    parts = [str(part) for part in error["loc"]]
    return ".".join(part for part in parts if part not in _TYPES and not part.startswith(_BRANCHES))


def _explain(error: Any, where: str, config: type[BaseModel]) -> str:
    if error["type"] == "extra_forbidden":
        *parents, key = error["loc"]
        known = keys_at(config, [str(part) for part in parents])
        near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known)}"
        return f"{where}: unknown key; {hint}"
    if error["type"] == "missing":
        return f"{where}: missing, and required"
    context = error.get("ctx", {})
    message = error["msg"].removeprefix("Value error, ")
    if words := _WORDS.get(error["type"]):
        message = words.format(**context, s="s" * (context.get("max_length") != 1))
    given = error["input"]
    if "[key]" in error["loc"] or error["type"] == "string_type":
        if isinstance(given, bool):
            message = "YAML reads yes, no, on, off, true and false as true or false: put it in quotes"
        elif isinstance(given, int | float) and given == given:
            message = f'YAML reads this as {given}, not as text: put it in quotes, such as "{given}"'
        elif isinstance(given, date):
            message = "YAML reads this as a date, not as text: put it in quotes"
    return f"{where}: {message}" if where else message


def _sections(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [section for part in getattr(annotation, "__args__", ()) for section in _sections(part)]
