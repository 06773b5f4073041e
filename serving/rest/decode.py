"""Converts request bodies to tensors, with TensorFlow Serving's rules and messages.

Most bodies are plain lists of numbers, which simdjson (`numbers.py`) or numpy convert as a whole. All others, and every
error, are handled value by value (`tensor.py`), so that the response says what is wrong with which value.
"""

from itertools import chain
from typing import Any

import numpy as np

from serving.engine.signature import Signature
from serving.errors import ServingError, invalid
from serving.messages import dtypes
from serving.messages.dtypes import Array
from serving.messages.missing import filled, is_mark
from serving.rest.document import Body
from serving.rest.tensor import FLOATS, INTEGERS, is_base64, tensor, tensor_of_plain
from serving.rest.values import debug_string

_AT_ONCE = 512


def predict_inputs(body: Body, signature: Signature, name: str) -> tuple[dict[str, Array], bool]:
    """Return the tensors of a predict request, and whether they came as rows ("instances") or columns ("inputs").

    Raises:
        ServingError: the document does not match the signature.
    """
    if not signature.inputs:
        raise invalid(f"Failed to get input map for signature: {name or 'DEFAULT'}")
    known = known_inputs(body, signature)
    if known is not None:
        return known
    inputs, by_row = _from_document(body, signature, name)
    if len(inputs) == 1 and len(body.document) == 1 and body.plain:
        ((key, listed),) = body.document.items()
        (value,) = inputs.values()
        if isinstance(listed, list) and value.dtype.kind in "iuf" and value.size:
            body.remember(key, value.shape)
    return inputs, by_row


def known_inputs(body: Body, signature: Signature) -> tuple[dict[str, Array], bool] | None:
    """Return the same of a body that is a known list of numbers; None if it is not, or is for several inputs."""
    if not body.known or len(signature.inputs) != 1:
        return None
    ((alias, spec),) = signature.inputs.items()
    if spec.dtype not in FLOATS and spec.dtype not in INTEGERS:
        return None
    numbers = body.numbers(integers=spec.dtype in INTEGERS)
    value = None if numbers is None else _fitted(numbers, spec.dtype)
    return None if value is None else ({alias: value}, body.known[0] == "instances")


def _from_document(body: Body, signature: Signature, name: str) -> tuple[dict[str, Array], bool]:
    document = body.document
    by_row, by_column = "instances" in document, "inputs" in document
    if by_row and by_column:
        raise _format_error(
            document, "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist "
        )
    if by_row:
        instances = document["instances"]
        if not isinstance(instances, list):
            raise _format_error(document, "Expecting 'instances' to be an list/array")
        if not instances:
            raise _format_error(document, "No values in 'instances' array")
        return _from_rows(instances, signature, plain=body.plain), True
    if by_column:
        return _from_columns(document["inputs"], signature, plain=body.plain), False
    raise invalid("Missing 'inputs' or 'instances' key")


def _from_rows(instances: list[Any], signature: Signature, *, plain: bool) -> dict[str, Array]:
    specs, defaults = signature.inputs, signature.defaults
    if not _is_named(instances[0]):
        if len(specs) > 1 and not isinstance(instances[0], dict):
            raise invalid(
                "instances is a plain list, but expecting list of objects as multiple input tensors required "
                "as per tensorinfo_map"
            )
        (alias, spec) = next(iter(sorted(specs.items())))
        instances = filled(instances, defaults.get(alias))
        fast = _numeric(instances, spec.dtype) if plain else None
        if fast is not None:
            return {alias: fast}
        for position, item in enumerate(instances):
            if _is_named(item):
                raise invalid(f"Expecting value/list but got object at item {position} of input list")
        return {alias: _stack(instances, spec.dtype, "")}
    required = specs.keys() - defaults.keys()
    for position, item in enumerate(instances):
        if not _is_named(item):
            raise invalid(f"Expecting object but got list at item {position} of input list")
        for key in item:
            if key not in specs:
                raise invalid(
                    f"Failed to process element: {position} key: {key} of 'instances' list. Error: "
                    f"INVALID_ARGUMENT: JSON object: does not have named input: {key}"
                )
        if not item.keys() >= required:
            raise invalid(
                f"Failed to process element: {position} of 'instances' list. JSON object: "
                f"{debug_string(item)} keys must be equal to: {','.join(sorted(specs))}"
            )
    tensors = {}
    for alias, spec in specs.items():
        if (
            alias in defaults
            and not is_mark(defaults[alias])
            and not any(alias in item for item in instances)
        ):
            continue
        column = filled([item.get(alias) for item in instances], defaults.get(alias))
        fast = _numeric(column, spec.dtype) if plain else None
        tensors[alias] = fast if fast is not None else _stack(column, spec.dtype, f" key: {alias}")
    return tensors


def _stack(items: list[Any], dtype: str, key: str) -> Array:
    """Stack rows, each of which must be a tensor of the same shape as the first.

    Only where something is wrong, or unusual, are values looked at one by one.
    """
    parts: list[Array] = []
    for start in range(0, len(items), _AT_ONCE):
        some = items[start : start + _AT_ONCE]
        part = tensor_of_plain(some, dtype)
        if part is None or (parts and part.shape[1:] != parts[0].shape[1:]):
            first = parts[0][:1].reshape(parts[0].shape[1:]) if parts else None
            part = _stack_one_by_one(some, dtype, key, start, first)
        parts.append(part)
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _stack_one_by_one(items: list[Any], dtype: str, key: str, start: int, first: Array | None) -> Array:
    rows: list[Array] = []
    for position, item in enumerate(items, start):
        try:
            row = tensor(item, dtype)
            first = row if first is None else first
            if row.size != first.size:
                raise invalid(f"Expecting tensor size: {first.size} but got: {row.size}")
            if row.shape != first.shape:
                raise invalid(f"Expecting shape {_shape(first)} but got: {_shape(row)}")
        except ServingError as error:
            raise ServingError(
                error.code,
                f"Failed to process element: {position}{key} of 'instances' list. Error: "
                f"{error.code.name}: {error.message}",
            ) from None
        rows.append(row)
    return np.stack(rows)


def _from_columns(value: Any, signature: Signature, *, plain: bool) -> dict[str, Array]:
    specs, defaults = signature.inputs, signature.defaults
    if not _is_named(value):
        if len(specs) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple input tensors required "
                "as per tensorinfo_map"
            )
        (alias, spec) = next(iter(specs.items()))
        return {alias: _column(filled(value, defaults.get(alias)), spec.dtype, plain=plain)}
    for alias in sorted(specs.keys() - defaults.keys()):
        if alias not in value:
            raise invalid(f"Missing named input: {alias} in 'inputs' object.")
    return {
        alias: _column(filled(value[alias], defaults.get(alias)), spec.dtype, plain=plain)
        for alias, spec in specs.items()
        if alias in value
    }


def _column(value: Any, dtype: str, *, plain: bool) -> Array:
    fast = _numeric(value, dtype) if plain and isinstance(value, list) else None
    return fast if fast is not None else tensor(value, dtype)


def _numeric(values: list[Any], dtype: str) -> Array | None:
    """Return the tensor of a nested list of numbers, or None if it must be converted value by value."""
    if dtype not in FLOATS and dtype not in INTEGERS:
        return None
    # Flattened here, level by level: numpy's own traversal of nested lists takes 1.5 times as long.
    shape = [len(values)]
    try:
        while values and isinstance(values[0], list):
            shape.append(len(values[0]))
            if set(map(len, values)) != {shape[-1]}:
                return None
            values = list(chain.from_iterable(values))
        array = np.array(values).reshape(shape)
    except (TypeError, ValueError, OverflowError):  # ragged, or an integer beyond 64 bits
        return None
    if array.dtype.kind not in ("iuf" if dtype in FLOATS else "iu") or not array.size:
        return None
    return _fitted(array, dtype)


def _fitted(array: Array, dtype: str) -> Array | None:
    """Return numbers as a tensor's type; None if one of them is out of its range."""
    if dtype in FLOATS:
        with np.errstate(over="ignore"):  # a value out of float32's range becomes infinity, as in C++
            return array.astype(dtypes.NUMPY[dtype], copy=False)
    low, high = INTEGERS[dtype]
    if int(array.min()) < low or int(array.max()) > high:
        return None
    return array.astype(dtypes.NUMPY[dtype], copy=False)


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and not is_base64(value)


def _shape(array: Array) -> str:
    return "[" + ",".join(map(str, array.shape)) + "]"


def _format_error(document: Any, message: str) -> ServingError:
    return invalid(f"JSON Value: {debug_string(document)} {message}")
