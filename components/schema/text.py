"""The text file that holds a schema: read and written without TensorFlow, and its classes against data.classes."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components.atomic import write_atomically
from components.listing import listed
from serving.errors import UserError

#: The first line of a schema that was inferred: a later change is seen by it.
_INFERRED = "# inferred by the first run; SHA-256 of what follows: "


class SchemaError(UserError, ValueError):
    """The schema cannot be inferred or read, or says something else than the configuration."""


def read_schema(path: str | Path) -> Any:
    """Read a schema in text format.

    Raises:
        SchemaError: the file does not parse; names it and the line.
    """
    try:
        return text_format.Parse(Path(path).read_text(), schema_pb2.Schema())
    except text_format.ParseError as error:
        raise SchemaError(f"{path}: not a schema in text format: {error}") from error


def write_schema(schema: Any, path: str | Path) -> None:
    """Write a schema in text format, whole or not at all; of a file that is there, its first comment stays."""
    comment = re.match(r"(#.*\n)*", _text(path))
    write_atomically(path, (comment[0] if comment else "") + text_format.MessageToString(schema))


def write_inferred(schema: Any, path: str | Path) -> None:
    """Write a schema that was just inferred."""
    text = text_format.MessageToString(schema)
    write_atomically(path, f"{_INFERRED}{_sha256(text)}\n{text}")


def without_comment(text: str) -> str:
    """Return a schema's text without the line that says that it was inferred."""
    return text.split("\n", 1)[1] if text.startswith(_INFERRED) else text


def schema_in_use(schema_path: str | Path, inferred_path: str | Path) -> Path | None:
    """Find the schema that counts: the reviewed one, or the one that the first run inferred; None before that."""
    return next((Path(path) for path in (schema_path, inferred_path) if Path(path).is_file()), None)


def kept_digest(schema_path: str | Path, inferred_path: str | Path) -> str:
    """Digest the schema that counts; "" while it is what the first run inferred, or before that."""
    source = schema_in_use(schema_path, inferred_path)
    if source is None:
        return ""
    first = _text(inferred_path)
    inferred = (
        first.split("\n", 1)[0].removeprefix(_INFERRED) if first.startswith(_INFERRED) else _sha256(first)
    )
    found = _sha256(without_comment(_text(source)))
    return "" if found == inferred else found


def _text(path: str | Path) -> str:
    return Path(path).read_text() if Path(path).is_file() else ""


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def classes_of(schema: Any, label: str) -> list[str]:
    """List the classes of the label, in the order of their ids.

    Raises:
        SchemaError: the label has no domain.
    """
    for feature in schema.feature:
        if feature.name == label and feature.string_domain.value:
            return list(feature.string_domain.value)
    raise SchemaError(
        f"the schema gives no string_domain for the label {label!r}, so its classes are not known"
    )


def classes_differ(schema: Any, label: str, classes: Sequence[str] | None) -> str:
    """Say in what `data.classes`, if there is one, differs from the schema's classes; "" if in nothing."""
    kept = classes_of(schema, label)
    if classes is None or list(classes) == kept:
        return ""
    ours = [name for name in classes if name not in kept]
    theirs = [name for name in kept if name not in classes]
    parts = [f"only data.classes has {listed(ours)}"] if ours else []
    parts += [f"only the schema has {listed(theirs)}"] if theirs else []
    return (
        "; ".join(parts)
        or f"the order is {listed(classes)} in data.classes, and {listed(kept)} in the schema"
    )


def check_classes(
    schema: Any,
    source: str | Path,
    label: str,
    classes: Sequence[str] | None,
    command: str = "slipway schema --update",
) -> None:
    """Make sure that `data.classes`, if there is one, lists the classes of the schema, in the same order.

    Raises:
        SchemaError: they differ; says in what, and which command takes `data.classes` into the schema.
    """
    if differ := classes_differ(schema, label, classes):
        raise SchemaError(
            f"data.classes and the schema {source} disagree on the classes, whose order gives them their ids: "
            f"{differ}. Change data.classes, or take it into the schema: {command}"
        )
