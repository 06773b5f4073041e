"""The gRPC services as TensorFlow Serving answers, driven by tensorflow-serving-api's own stubs."""

from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from serving.messages.protos import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    predict_pb2,
    regression_pb2,
)
from serving.messages.tensors import to_array, to_proto
from serving.rpc.health import HealthCheckRequest, HealthCheckResponse
from serving.rpc.reflection import ServerReflectionRequest, ServerReflectionResponse
from tests.serving.process import Running
from tests.serving.server_fixtures import server

pytestmark = pytest.mark.server

__all__ = ["server"]

M = "half plus"
OUT = grpc.StatusCode


@pytest.fixture(scope="module")
def channel(server: Running) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(server.address) as channel:
        yield channel


@pytest.fixture(scope="module")
def stub(channel: grpc.Channel) -> Any:
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


@pytest.fixture(scope="module")
def models(channel: grpc.Channel) -> Any:
    return model_service_pb2_grpc.ModelServiceStub(channel)


def predict_request(name: str = M, signature: str = "", **inputs: Any) -> Any:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = name
    request.model_spec.signature_name = signature
    for alias, value in inputs.items():
        request.inputs[alias].CopyFrom(to_proto(value))
    return request


def fails(code: grpc.StatusCode, text: str, call: Any, request: Any) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        call(request, timeout=10)
    assert caught.value.code() is code, caught.value
    assert text in caught.value.details()


X = np.array([1, 2], np.float32)


def test_predict(stub: Any) -> None:
    response = stub.Predict(predict_request(x=X), timeout=10)
    assert list(response.outputs["y"].float_val) == [3.5, 4.0]
    assert not response.outputs["y"].tensor_content
    spec = response.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == (M, 2, "serving_default")


def test_versions_and_labels(stub: Any) -> None:
    request = predict_request(x=X)
    request.model_spec.version.value = 1
    assert list(stub.Predict(request, timeout=10).outputs["y"].float_val) == [2.5, 3.0]
    request.model_spec.version_label = "stable"
    assert stub.Predict(request, timeout=10).model_spec.version.value == 1
    request.model_spec.version_label = "nope"
    fails(OUT.INVALID_ARGUMENT, "Unrecognized servable version label: nope", stub.Predict, request)
    request.model_spec.version.value = 7
    fails(OUT.NOT_FOUND, f"Servable not found for request: Specific({M}, 7)", stub.Predict, request)


def test_every_type_there_and_back(stub: Any) -> None:
    inputs: dict[str, Any] = {
        "f": np.array([[1.5, -2]], np.float32),
        "i": np.array([2**60], np.int64),
        "s": np.array([b"\xff\x00"], object),
        "t": np.array([True]),
    }
    response = stub.Predict(predict_request(signature="types", **inputs), timeout=10)
    outputs = {alias: to_array(proto, alias) for alias, proto in response.outputs.items()}
    np.testing.assert_array_equal(outputs["f"], inputs["f"] * 2)
    assert outputs["i"].tolist() == [2**60 + 1]
    assert outputs["s"].tolist() == [b"\xff\x00"]
    assert outputs["t"].tolist() == [False]
    assert outputs["n"].shape == ()


def test_output_filter(stub: Any) -> None:
    inputs: dict[str, Any] = {
        "f": np.zeros((1, 1), np.float32),
        "i": np.zeros(1, np.int64),
        "s": np.array([b""], object),
        "t": np.array([True]),
    }
    request = predict_request(signature="types", **inputs)
    request.output_filter.append("i")
    assert set(stub.Predict(request, timeout=10).outputs) == {"i"}
    request.output_filter.append("i")
    fails(OUT.INVALID_ARGUMENT, "duplicate output tensor alias: i", stub.Predict, request)
    request.output_filter[:] = ["q"]
    fails(OUT.INVALID_ARGUMENT, "output tensor alias not found in signature: q", stub.Predict, request)


def test_bad_predict(stub: Any) -> None:
    fails(OUT.INVALID_ARGUMENT, "Missing ModelSpec", stub.Predict, predict_pb2.PredictRequest())
    fails(OUT.INVALID_ARGUMENT, "no name specified", stub.Predict, predict_request("", x=X))
    fails(OUT.NOT_FOUND, "Servable not found for request: Latest(z)", stub.Predict, predict_request("z", x=X))
    fails(OUT.NOT_FOUND, "Latest(broken)", stub.Predict, predict_request("broken", x=X))
    fails(
        OUT.FAILED_PRECONDITION,
        'Serving signature key "z" not found.',
        stub.Predict,
        predict_request(signature="z", x=X),
    )
    fails(
        OUT.INVALID_ARGUMENT,
        "input size does not match signature: 2!=1 len({x,z}) != len({x}). Sent extra: {z}. "
        "Missing but required: {}.",
        stub.Predict,
        predict_request(x=X, z=X),
    )
    fails(OUT.INVALID_ARGUMENT, "Missing but required: {x}", stub.Predict, predict_request())
    fails(OUT.INVALID_ARGUMENT, "", stub.Predict, predict_request(x=X.astype(np.int64)))


def test_tensors_that_are_none(stub: Any) -> None:
    request = predict_request(x=X)
    request.inputs["x"].tensor_content = b"123"
    fails(OUT.INVALID_ARGUMENT, "tensor_content has 3 bytes", stub.Predict, request)
    request = predict_request(x=X)
    request.inputs["x"].tensor_shape.dim[0].size = -1
    fails(OUT.INVALID_ARGUMENT, "must not be negative", stub.Predict, request)
    request.inputs["x"].tensor_shape.dim[0].size = 1 << 40
    fails(OUT.INVALID_ARGUMENT, "declares", stub.Predict, request)
    request.inputs["x"].tensor_shape.dim[0].size = 4
    assert list(stub.Predict(request, timeout=10).outputs["y"].float_val) == [3.5, 4.0, 4.0, 4.0]
    request.inputs["x"].dtype = 999
    fails(OUT.INVALID_ARGUMENT, "cannot be an input", stub.Predict, request)


def test_bytes_that_are_no_message(channel: grpc.Channel) -> None:
    call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    fails(OUT.INVALID_ARGUMENT, "is not a valid tensorflow.serving.PredictRequest", call, b"\xff\xff")
    fails(OUT.UNIMPLEMENTED, "", channel.unary_unary("/tensorflow.serving.PredictionService/None"), b"")


def examples(request: Any, *values: float) -> Any:
    request.model_spec.name = M
    for value in values:
        example = request.input.example_list.examples.add()
        example.features.feature["x"].float_list.value.append(value)
    return request


def test_classify_and_regress(stub: Any) -> None:
    request = examples(classification_pb2.ClassificationRequest(), 2.0, 0.0)
    request.model_spec.signature_name = "classify"
    result = stub.Classify(request, timeout=10)
    got = [(c.classes[0].label, c.classes[0].score) for c in result.result.classifications]
    assert got == [("high", 4.0), ("low", 3.0)]
    assert result.model_spec.version.value == 2
    regress = examples(regression_pb2.RegressionRequest(), 2.0)
    regress.model_spec.signature_name = "regress"
    assert [r.value for r in stub.Regress(regress, timeout=10).result.regressions] == [4.0]
    fails(
        OUT.INVALID_ARGUMENT,
        "Input is empty.",
        stub.Classify,
        _signature(examples(classification_pb2.ClassificationRequest()), "classify"),
    )
    fails(
        OUT.INVALID_ARGUMENT,
        "No signature was found with the name: z",
        stub.Regress,
        _signature(examples(regression_pb2.RegressionRequest(), 1.0), "z"),
    )


def _signature(request: Any, name: str) -> Any:
    request.model_spec.signature_name = name
    return request


def multi(*tasks: tuple[str, str], name: str = M) -> Any:
    request = inference_pb2.MultiInferenceRequest()
    for signature, method in tasks:
        task = request.tasks.add(method_name=f"tensorflow/serving/{method}")
        task.model_spec.name = name
        task.model_spec.signature_name = signature
    example = request.input.example_list.examples.add()
    example.features.feature["x"].float_list.value.append(2.0)
    return request


def test_multi_inference(stub: Any) -> None:
    results = stub.MultiInference(multi(("regress", "regress"), ("classify", "classify")), timeout=10).results
    assert results[0].regression_result.regressions[0].value == 4.0
    assert results[1].classification_result.classifications[0].classes[0].label == "high"
    assert results[1].model_spec.signature_name == "classify"
    fails(
        OUT.INVALID_ARGUMENT,
        "Duplicate evaluation of signature: regress",
        stub.MultiInference,
        multi(("regress", "regress"), ("regress", "regress")),
    )
    fails(
        OUT.UNIMPLEMENTED, "Unsupported signature method_name", stub.MultiInference, multi(("regress", "x"))
    )
    fails(OUT.INVALID_ARGUMENT, "empty model name", stub.MultiInference, multi(("r", "regress"), name=""))
    fails(OUT.INVALID_ARGUMENT, "Requested signature not found", stub.MultiInference, multi(("z", "regress")))


def test_metadata(stub: Any) -> None:
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    fails(OUT.INVALID_ARGUMENT, "Missing ModelSpec", stub.GetModelMetadata, request)
    request.model_spec.name = M
    response = stub.GetModelMetadata(request, timeout=10)
    assert response.model_spec.version.value == 2
    definitions = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(definitions)
    assert {"serving_default", "classify", "regress", "types"} <= set(definitions.signature_def)
    request.metadata_field[:] = ["other"]
    fails(OUT.INVALID_ARGUMENT, "Metadata field other is not supported", stub.GetModelMetadata, request)
    request.metadata_field[:] = []
    fails(OUT.INVALID_ARGUMENT, "at least one metadata_field", stub.GetModelMetadata, request)


def test_model_status(models: Any) -> None:
    request = get_model_status_pb2.GetModelStatusRequest()
    fails(OUT.INVALID_ARGUMENT, "Missing ModelSpec", models.GetModelStatus, request)
    request.model_spec.name = M
    status = models.GetModelStatus(request, timeout=10).model_version_status
    assert [(entry.version, entry.state) for entry in status] == [(2, 30), (1, 30)]
    request.model_spec.name = "broken"
    status = models.GetModelStatus(request, timeout=10).model_version_status
    assert [(entry.state, entry.status.error_code) for entry in status] == [(50, 5)]
    request.model_spec.name = "z"
    fails(OUT.NOT_FOUND, "Could not find any versions of model z", models.GetModelStatus, request)


def test_unix_socket(server: Running) -> None:
    path = next(flag for flag in server.process.args if "grpc_socket_path" in str(flag))  # type: ignore[union-attr]
    with grpc.insecure_channel(f"unix:{str(path).partition('=')[2]}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        assert list(stub.Predict(predict_request(x=X), timeout=10).outputs["y"].float_val) == [3.5, 4.0]


def test_health_and_reflection(channel: grpc.Channel) -> None:
    check = channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=HealthCheckResponse.FromString,
    )
    assert check(HealthCheckRequest(), timeout=10).status == 2, "one model is broken: not serving"
    assert check(HealthCheckRequest(service="nothing"), timeout=10).status == 3
    ask = channel.stream_stream(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=ServerReflectionResponse.FromString,
    )
    questions = [
        ServerReflectionRequest(list_services="*"),
        ServerReflectionRequest(file_containing_symbol="tensorflow.serving.PredictionService"),
        ServerReflectionRequest(file_containing_symbol="no.such"),
    ]
    listed, file, missing = ask(iter(questions), timeout=10)
    names = [entry.name for entry in listed.list_services_response.service]
    assert "tensorflow.serving.ModelService" in names
    assert len(file.file_descriptor_response.file_descriptor_proto) > 5
    assert missing.error_response.error_code == 5
