"""The service grpc.reflection: tools such as grpcurl use it to list the services and describe their messages."""

from collections.abc import AsyncIterator
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.message import DecodeError

from serving.errors import Code, invalid
from serving.messages.declared import declare
from serving.rpc import health, model_service, prediction
from serving.rpc.guard import Guard
from serving.rpc.methods import Context, Methods, Streaming

_PACKAGE = "grpc.reflection.v1alpha"
SERVICE = f"{_PACKAGE}.ServerReflection"
_FULL = f".{_PACKAGE}."

_classes = declare(
    "grpc/reflection/v1alpha/reflection.proto",
    _PACKAGE,
    {
        "ServerReflectionRequest": {
            "host": (1, "string"),
            "file_by_filename": (3, "string"),
            "file_containing_symbol": (4, "string"),
            "list_services": (7, "string"),
        },
        "FileDescriptorResponse": {"file_descriptor_proto": (1, "repeated bytes")},
        "ServiceResponse": {"name": (1, "string")},
        "ListServiceResponse": {"service": (1, f"repeated {_FULL}ServiceResponse")},
        "ErrorResponse": {"error_code": (1, "int32"), "error_message": (2, "string")},
        "ServerReflectionResponse": {
            "valid_host": (1, "string"),
            "original_request": (2, f"{_FULL}ServerReflectionRequest"),
            "file_descriptor_response": (4, f"{_FULL}FileDescriptorResponse"),
            "list_services_response": (6, f"{_FULL}ListServiceResponse"),
            "error_response": (7, f"{_FULL}ErrorResponse"),
        },
    },
    services={
        "ServerReflection": {
            "ServerReflectionInfo": (
                f"stream {_FULL}ServerReflectionRequest",
                f"stream {_FULL}ServerReflectionResponse",
            )
        }
    },
)
ServerReflectionRequest: Any = _classes["ServerReflectionRequest"]
ServerReflectionResponse: Any = _classes["ServerReflectionResponse"]

_APIS = "tensorflow_serving/apis"
_T = ".tensorflow.serving."
# The wheel's own modules that describe these services cannot be imported with current protobuf.
declare(
    f"{_APIS}/prediction_service.proto",
    "tensorflow.serving",
    {},
    tuple(
        f"{_APIS}/{name}.proto"
        for name in ("classification", "get_model_metadata", "inference", "predict", "regression")
    ),
    services={
        "PredictionService": {
            "Classify": (f"{_T}ClassificationRequest", f"{_T}ClassificationResponse"),
            "Regress": (f"{_T}RegressionRequest", f"{_T}RegressionResponse"),
            "Predict": (f"{_T}PredictRequest", f"{_T}PredictResponse"),
            "MultiInference": (f"{_T}MultiInferenceRequest", f"{_T}MultiInferenceResponse"),
            "GetModelMetadata": (f"{_T}GetModelMetadataRequest", f"{_T}GetModelMetadataResponse"),
        }
    },
)
declare(
    f"{_APIS}/model_service.proto",
    "tensorflow.serving",
    {},
    (f"{_APIS}/get_model_status.proto", f"{_APIS}/model_management.proto"),
    services={
        "ModelService": {
            "GetModelStatus": (f"{_T}GetModelStatusRequest", f"{_T}GetModelStatusResponse"),
            "HandleReloadConfigRequest": (f"{_T}ReloadConfigRequest", f"{_T}ReloadConfigResponse"),
        }
    },
)


def methods(guard: Guard, *, with_health: bool) -> Methods:
    """Return the service's methods."""
    services = [prediction.SERVICE, model_service.SERVICE, SERVICE]
    if with_health:
        services.append(health.SERVICE)

    async def info(requests: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
        guard.check(context)
        async for data in requests:
            try:
                request = ServerReflectionRequest.FromString(data)
            except DecodeError as error:
                raise invalid(f"the request is not a valid ServerReflectionRequest: {error}") from None
            yield answer(request, services).SerializeToString()

    return {f"/{SERVICE}/ServerReflectionInfo": Streaming(info)}


def answer(request: Any, services: list[str]) -> Any:
    """Return the response to one request."""
    response = ServerReflectionResponse(valid_host=request.host)
    response.original_request.CopyFrom(request)
    pool = descriptor_pool.Default()
    try:
        if request.file_by_filename:
            file = pool.FindFileByName(request.file_by_filename)
        elif request.file_containing_symbol:
            file = pool.FindFileContainingSymbol(request.file_containing_symbol)
        else:
            for name in sorted(services):
                response.list_services_response.service.add(name=name)
            return response
    except KeyError:
        response.error_response.error_code = int(Code.NOT_FOUND)
        response.error_response.error_message = "no such file or symbol"
        return response
    response.file_descriptor_response.file_descriptor_proto.extend(_with_imports(file))
    return response


def _with_imports(file: Any) -> list[bytes]:
    """Return the descriptors of a file and of everything that it imports, each once."""
    seen: dict[str, bytes] = {}

    def visit(one: Any) -> None:
        if one.name in seen:
            return
        proto = descriptor_pb2.FileDescriptorProto()
        one.CopyToProto(proto)
        seen[one.name] = proto.SerializeToString()
        for other in one.dependencies:
            visit(other)

    visit(file)
    return list(seen.values())
