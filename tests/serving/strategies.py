"""Request bodies for hypothesis: built from what the protocols can say, in good and in bad combinations."""

import json
from typing import Any

from hypothesis import strategies as st

from serving.messages.protos import (
    classification_pb2,
    get_model_metadata_pb2,
    inference_pb2,
    predict_pb2,
    regression_pb2,
    tensor_pb2,
)

ALIASES = st.sampled_from(["x", "f", "i", "s", "t", "b64", "", "é"])
SIGNATURES = st.sampled_from(["", "serving_default", "classify", "regress", "types", "none"])
# A weight for what is good: most of a request must be right for the rest of it to be looked at.
LEAVES = st.one_of(
    st.floats(width=32),
    st.floats(width=32),
    st.integers(-(2**65), 2**65),
    st.booleans(),
    st.none(),
    st.text(max_size=8),
    st.fixed_dictionaries({"b64": st.one_of(st.sampled_from(["", "AA==", "=", "A"]), st.integers(0, 1))}),
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(ALIASES, inner, max_size=3), st.lists(st.just(1.0))
    ),
    max_leaves=10,
)
NUMBERS = st.lists(st.one_of(st.floats(width=32), st.integers(-5, 5)), min_size=1, max_size=5)


def rest_bodies() -> st.SearchStrategy[bytes]:
    """Documents of the REST API, some with other bytes put in, and some that are no documents at all."""
    good: st.SearchStrategy[Any] = st.one_of(
        st.fixed_dictionaries({"instances": NUMBERS}),
        st.fixed_dictionaries({"inputs": NUMBERS}),
        st.fixed_dictionaries(
            {"examples": st.lists(st.dictionaries(ALIASES, LEAVES, max_size=2), max_size=3)},
            optional={"signature_name": SIGNATURES, "context": st.dictionaries(ALIASES, LEAVES, max_size=2)},
        ),
    )
    odd = st.fixed_dictionaries(
        {},
        optional={
            "signature_name": st.one_of(SIGNATURES, VALUES),
            "instances": VALUES,
            "inputs": VALUES,
            "examples": VALUES,
            "context": VALUES,
        },
    )
    texts = st.one_of(good, odd, odd, VALUES).map(lambda document: json.dumps(document).encode())
    return st.one_of(
        texts, texts, texts, st.builds(_put_in, texts, st.binary(max_size=6), st.integers(0, 200))
    )


def tensors() -> st.SearchStrategy[Any]:
    """TensorProtos whose type, shape and values need not go together."""
    return st.builds(
        _tensor,
        dtype=st.one_of(st.just(1), st.integers(0, 30), st.integers(100, 140)),
        dims=st.one_of(st.just([2]), st.lists(st.sampled_from([-1, 0, 1, 2, 2**31, 2**62]), max_size=4)),
        unknown_rank=st.sampled_from([False] * 9 + [True]),
        values=st.one_of(
            st.fixed_dictionaries({"float_val": st.lists(st.floats(width=32), min_size=2, max_size=2)}),
            st.fixed_dictionaries({"tensor_content": st.binary(min_size=8, max_size=8)}),
            st.fixed_dictionaries(
                {},
                optional={
                    "float_val": st.lists(st.floats(width=32), max_size=3),
                    "double_val": st.lists(st.floats(), max_size=3),
                    "int_val": st.lists(st.integers(-(2**31), 2**31 - 1), max_size=3),
                    "int64_val": st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3),
                    "uint64_val": st.lists(st.integers(0, 2**64 - 1), max_size=3),
                    "half_val": st.lists(st.integers(-1, 2**17), max_size=3),
                    "bool_val": st.lists(st.booleans(), max_size=3),
                    "string_val": st.lists(st.binary(max_size=5), max_size=3),
                    "scomplex_val": st.lists(st.floats(width=32), max_size=3),
                    "tensor_content": st.binary(max_size=20),
                },
            ),
        ),
    )


def grpc_bodies() -> st.SearchStrategy[bytes]:
    """Serialized requests of every method, also for another method than they are sent to."""
    names = st.sampled_from(["default"] * 8 + ["other", ""])
    versions = st.sampled_from([None] * 8 + [1, 2, -1])
    spec = st.tuples(names, SIGNATURES, versions)
    plain = st.tuples(st.just("default"), st.just(""), st.none())
    aliases = st.one_of(st.just("x"), st.just("x"), ALIASES)
    predict = st.builds(
        _predict,
        st.one_of(plain, spec),
        st.dictionaries(aliases, tensors(), max_size=2),
        st.lists(st.sampled_from(["y", "y", "z"]), max_size=2),
    )
    examples = st.builds(
        _examples,
        st.sampled_from([classification_pb2.ClassificationRequest, regression_pb2.RegressionRequest]),
        spec,
        st.lists(st.floats(width=32), max_size=3),
        st.binary(max_size=6),
    )
    multi = st.builds(
        _multi, st.lists(st.tuples(spec, st.sampled_from(["classify", "regress", ""])), max_size=3)
    )
    metadata = st.builds(_metadata, spec, st.lists(st.sampled_from(["signature_def", "x"]), max_size=2))
    data = st.one_of(predict, predict, predict, examples, multi, metadata).map(
        lambda message: bytes(message.SerializeToString())
    )
    broken = st.builds(_put_in, data, st.binary(max_size=6), st.integers(0, 60))
    return st.one_of(data, data, broken, st.binary(max_size=40))


def _put_in(data: bytes, more: bytes, where: int) -> bytes:
    where %= len(data) + 1
    return data[:where] + more + data[where + len(more) // 2 :]


def _tensor(dtype: int, dims: list[int], unknown_rank: bool, values: dict[str, Any]) -> Any:
    proto = tensor_pb2.TensorProto(dtype=dtype, **values)
    for size in dims:
        proto.tensor_shape.dim.add(size=size)
    proto.tensor_shape.unknown_rank = unknown_rank
    return proto


def _fill_spec(message: Any, spec: tuple[str, str, int | None]) -> None:
    message.name, message.signature_name, version = spec
    if version is not None:
        message.version.value = version


def _predict(spec: tuple[str, str, int | None], inputs: dict[str, Any], wanted: list[str]) -> Any:
    request = predict_pb2.PredictRequest(output_filter=wanted)
    _fill_spec(request.model_spec, spec)
    for alias, proto in inputs.items():
        request.inputs[alias].CopyFrom(proto)
    return request


def _examples(kind: Any, spec: tuple[str, str, int | None], values: list[float], odd: bytes) -> Any:
    request = kind()
    _fill_spec(request.model_spec, spec)
    for value in values:
        features = request.input.example_list.examples.add().features
        features.feature["x"].float_list.value.append(value)
        features.feature["y"].bytes_list.value.append(odd)
    return request


def _multi(tasks: list[tuple[tuple[str, str, int | None], str]]) -> Any:
    request = inference_pb2.MultiInferenceRequest()
    for spec, method in tasks:
        task = request.tasks.add(method_name=f"tensorflow/serving/{method}")
        _fill_spec(task.model_spec, spec)
    request.input.example_list.examples.add().features.feature["x"].float_list.value.append(1.0)
    return request


def _metadata(spec: tuple[str, str, int | None], fields: list[str]) -> Any:
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=fields)
    _fill_spec(request.model_spec, spec)
    return request
