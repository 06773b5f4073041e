"""The reference of every configuration key, made from the types.

`python -m pipeline.reference > docs/configuration.md`
"""

import types
import typing
from collections.abc import Iterator
from typing import Any, Union

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pipeline.config import Config

_HEAD = """# Configuration

One YAML file per model. This page is made from the code by `python -m pipeline.reference`. A misspelt key is an
error that names the nearest valid one. `--set section.key=value` overrides any key for one run.
"""


def reference() -> str:
    """Return the whole page."""
    return "\n".join([_HEAD, *_section(Config, "")]).rstrip() + "\n"


def _section(model: type[BaseModel], path: str) -> Iterator[str]:
    doc = (model.__doc__ or "").strip().split("\n")
    yield f"## `{path}`\n" if path else "## Top level\n"
    yield "\n".join(line.strip() for line in doc) + "\n"
    yield "| key | type | default | |"
    yield "|---|---|---|---|"
    inner: list[tuple[type[BaseModel], str]] = []
    for name, field in model.model_fields.items():
        key = field.alias or name
        sections = [part for part in _parts(field.annotation) if _is_section(part)]
        inner += [(section, f"{path}.{key}".lstrip(".")) for section in sections]
        yield f"| `{key}` | {_type(field.annotation)} | {_default(field)} | {_cell(field.description or '')} |"
    yield ""
    for section, where in inner:
        yield from _section(section, where)


def _is_section(part: Any) -> bool:
    return isinstance(part, type) and issubclass(part, BaseModel)


def _parts(annotation: Any) -> list[Any]:
    arguments = typing.get_args(annotation)
    return [part for a in arguments for part in _parts(a)] if arguments else [annotation]


def _type(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _type(arguments[0])
    if origin is typing.Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(_type(part) for part in arguments)
    if origin in (list, tuple):
        kinds = [part for part in arguments if part is not Ellipsis]
        return f"list of {_type(kinds[0])}" if len(set(kinds)) == 1 else "list"
    if origin is dict:
        return f"mapping to {_type(arguments[1])}"
    if _is_section(annotation):
        return "section"
    if annotation is type(None):
        return "null"
    return {str: "text", int: "integer", float: "number", bool: "true or false", Any: "anything"}.get(
        annotation, getattr(annotation, "__name__", str(annotation))
    )


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value = field.default
    if isinstance(value, BaseModel):
        return ""
    if value is None:
        return "null"
    return f"`{_plain(value)!r}`".replace("'", '"')


def _plain(value: Any) -> Any:
    """Convert sections to what differs from their defaults, and tuples to lists, as YAML has them."""
    if isinstance(value, BaseModel):
        return _plain(value.model_dump(exclude_defaults=True))
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(reference(), end="")
