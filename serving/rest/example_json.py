"""Converts the JSON examples of Classify and Regress to serialized tf.Examples."""

from typing import Any

from serving.errors import ServingError, invalid
from serving.messages.protos import example_pb2
from serving.rest.tensor import decode_base64, is_base64, text_bytes
from serving.rest.values import debug_string, type_name


def read_examples(document: dict[str, Any]) -> tuple[list[bytes], bytes | None]:
    """Return the examples of a request, and the context that they share, if it has one.

    Raises:
        ServingError: tf.Example cannot represent them.
    """
    context = _example(document["context"]) if "context" in document else None
    if "examples" not in document:
        raise _format(document, "When method is classify, key 'examples' is expected and was not found")
    examples = document["examples"]
    if not isinstance(examples, list):
        raise _format(document, "Expecting 'examples' value to be an list/array")
    if not examples:
        raise _format(document, "'examples' value is an empty array")
    return [_example(item) for item in examples], context


def _example(value: Any) -> bytes:
    if not isinstance(value, dict):
        raise invalid(f"Example must be JSON object but got JSON {type_name(value)}")
    example = example_pb2.Example()
    for name, content in value.items():
        feature = example.features.feature[name.encode("utf-8", "replace").decode()]
        for item in content if isinstance(content, list) else [content]:
            _add(item, name, feature)
    data: bytes = example.SerializeToString()
    return data


def _add(value: Any, name: str, feature: Any) -> None:
    """Add a value to a feature, whose first value determines its kind."""
    kind: str
    content: int | float | bytes
    if isinstance(value, bool):
        kind, content = "int64_list", int(value)
    elif isinstance(value, int):
        if value >= 2**63:
            raise invalid(f"Feature: {name} has uint64_t element. Only int64_t is supported.")
        kind, content = ("int64_list", value) if value >= -(2**63) else ("float_list", float(value))
    elif isinstance(value, float):
        kind, content = "float_list", value
    elif isinstance(value, str):
        kind, content = "bytes_list", text_bytes(value)
    elif is_base64(value):
        kind, content = "bytes_list", decode_base64(value)
    else:
        raise invalid(f"Feature: {name} has element with unexpected JSON type: {type_name(value)}")
    settled = feature.WhichOneof("kind")
    if settled not in (None, kind):
        expected = settled.removesuffix("_list")
        raise invalid(f"Unexpected element type in feature: {name} expecting type: {expected}")
    getattr(feature, kind).value.append(content)


def _format(document: Any, message: str) -> ServingError:
    return invalid(f"JSON Value: {debug_string(document)} {message}")
