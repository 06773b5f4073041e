"""Requests for hypothesis: built from what the protocols can say, in good and in bad combinations."""

import gzip
import json
import zlib
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


def rest_requests() -> st.SearchStrategy[bytes]:
    """Whole requests, which end their connection: any method, path, headers and body."""
    methods = st.one_of(
        st.sampled_from(
            [b"POST"] * 6 + [b"GET"] * 4 + [b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"PATCH", b"TRACE"]
        ),
        st.binary(min_size=1, max_size=8),
    )
    # Of a whole path, or of its parts in any order.
    parts = st.one_of(
        st.sampled_from(
            [
                "/v1/models",
                "/default",
                "/versions",
                "/labels",
                "/1",
                "/x",
                "/metadata",
                ":predict",
                ":classify",
                ":regress",
            ]
        ),
        st.sampled_from(
            ["/", "//", "?", "#", "%", "%2f", "%00", "%ff", "..", ":", "/18446744073709551616", "/-1", "*"]
        ),
        st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=4),
    )
    paths = st.one_of(
        st.sampled_from(
            [
                *["/v1/models/default:predict"] * 4,
                "/v1/models/default/versions/1:predict",
                "/v1/models/default/labels/x:classify",
                "/v1/models/default:classify",
                "/v1/models/default/metadata",
                "/v1/models/default",
                "/v1/models",
                "/healthz/ready",
                "/monitoring/prometheus/metrics",
            ]
        ),
        st.lists(parts, max_size=6).map("".join),
    )
    names = st.sampled_from(
        [
            "accept",
            "authorization",
            "connection",
            "content-type",
            "expect",
            "origin",
            "transfer-encoding",
            "upgrade",
            "x",
        ]
    )
    values = st.one_of(
        st.sampled_from(
            ["application/json", "100-continue", "chunked", "h2c", "http://a.b", "Bearer ", "close"]
        ),
        st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=8),
    )
    bodies = st.one_of(rest_bodies(), rest_bodies(), st.binary(max_size=40))
    codings = st.sampled_from(
        [""] * 6 + ["gzip", "gzip", "x-gzip", "deflate", "identity", "br", "gzip, gzip", "\xff"]
    )
    return st.builds(
        _request, methods, paths, st.lists(st.tuples(names, values), max_size=2), bodies, codings
    )


def grpc_paths() -> st.SearchStrategy[str]:
    """Methods that there are, but for those that change what is served, and others."""
    service = "/tensorflow.serving.PredictionService/"
    return st.one_of(
        st.sampled_from(
            [
                *[f"{service}Predict"] * 4,
                *(
                    f"{service}{name}"
                    for name in ("Classify", "Regress", "MultiInference", "GetModelMetadata")
                ),
                "/tensorflow.serving.ModelService/GetModelStatus",
                "/tensorflow.serving.SessionService/SessionRun",
                "/grpc.health.v1.Health/Check",
                "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
            ]
        ),
        st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=12).map(lambda text: f"/{text}"),
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


def _request(method: bytes, path: str, headers: list[tuple[str, str]], body: bytes, coding: str) -> bytes:
    if coding in ("gzip", "x-gzip"):
        body = gzip.compress(body)
    elif coding == "deflate":
        body = zlib.compress(body)
    lines = [f"{name}: {value}" for name, value in headers]
    lines += [f"content-encoding: {coding}"] * bool(coding)
    lines += ["host: x", f"content-length: {len(body)}", "connection: close", "", ""]
    start = method + f" {path} HTTP/1.1\r\n".encode("latin-1")
    return start + "\r\n".join(lines).encode("latin-1") + body


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
