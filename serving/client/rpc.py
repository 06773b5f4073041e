"""The client's gRPC transport."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc

from serving.client.base import Fields, PredictError, Target
from serving.engine.signature import DEFAULT_SIGNATURE
from serving.errors import Code
from serving.messages import dtypes, tensors
from serving.messages.dtypes import Array
from serving.messages.protos import get_model_metadata_pb2, get_model_status_pb2, predict_pb2

_PREDICTION = "/tensorflow.serving.PredictionService"
_MODEL = "/tensorflow.serving.ModelService"
_STATES = {0: "UNKNOWN", 10: "START", 20: "LOADING", 30: "AVAILABLE", 40: "UNLOADING", 50: "END"}


class GrpcTransport:
    """Calls PredictionService and ModelService.

    Args:
        address: `host:port` or `unix:path`.
        secure: whether to use TLS.
        token: a bearer token, if the server requires one.
        ca: file with the server's certificate authority, if it is a private one.
        cert: files with the client's certificate and key, if the server requires them.
    """

    def __init__(
        self,
        address: str,
        *,
        secure: bool = False,
        token: str | None = None,
        ca: str | None = None,
        cert: tuple[str, str] | None = None,
    ) -> None:
        self._address = address
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()
        options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        if secure:
            certificate, key = cert or (None, None)
            credentials = grpc.ssl_channel_credentials(_read(ca), _read(key), _read(certificate))
            self._channel = grpc.secure_channel(address, credentials, options)
        else:
            self._channel = grpc.insecure_channel(address, options)
        self._predict = self._method(f"{_PREDICTION}/Predict", predict_pb2.PredictResponse)
        self._metadata_of = self._method(
            f"{_PREDICTION}/GetModelMetadata", get_model_metadata_pb2.GetModelMetadataResponse
        )
        self._status = self._method(f"{_MODEL}/GetModelStatus", get_model_status_pb2.GetModelStatusResponse)

    def describe(self, target: Target, timeout: float) -> Fields:
        """See `Transport`."""
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        _fill(request.model_spec, target)
        response = self._call(self._metadata_of, request, timeout)
        definitions = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(definitions)
        name = target.signature_name or DEFAULT_SIGNATURE
        if name not in definitions.signature_def:
            raise PredictError(
                Code.FAILED_PRECONDITION,
                f"model {target.model} has no signature '{name}'; it has {sorted(definitions.signature_def)}",
            )
        definition = definitions.signature_def[name]
        defaults = {alias: tensors.to_array(proto, alias) for alias, proto in definition.defaults.items()}
        return Fields(_types(definition.inputs), _types(definition.outputs), defaults)

    def predict(
        self, target: Target, inputs: Mapping[str, Array], fields: Fields, timeout: float
    ) -> dict[str, Array]:
        """See `Transport`."""
        del fields
        request = predict_pb2.PredictRequest()
        _fill(request.model_spec, target)
        request.model_spec.signature_name = target.signature_name
        for alias, value in inputs.items():
            request.inputs[alias].CopyFrom(tensors.to_proto(value, packed=value.dtype.kind != "O"))
        response = self._call(self._predict, request, timeout)
        return {alias: tensors.to_array(proto, alias) for alias, proto in response.outputs.items()}

    def status(self, target: Target, timeout: float) -> dict[int, str]:
        """See `Transport`."""
        request = get_model_status_pb2.GetModelStatusRequest()
        _fill(request.model_spec, target)
        response = self._call(self._status, request, timeout)
        return {entry.version: _STATES[entry.state] for entry in response.model_version_status}

    def close(self) -> None:
        """See `Transport`."""
        self._channel.close()

    def _method(self, path: str, response: Any) -> Any:
        return self._channel.unary_unary(
            path,
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=response.FromString,
        )

    def _call(self, method: Any, request: Any, timeout: float) -> Any:
        try:
            return method(request, timeout=timeout, metadata=self._metadata)
        except grpc.RpcError as error:
            code = Code(error.code().value[0])
            text = error.details() or error.code().name
            if code is Code.UNAVAILABLE:
                text = f"cannot reach {self._address}: {text}"
            raise PredictError(code, text) from error


def _fill(spec: Any, target: Target) -> None:
    spec.name = target.model
    if target.version is not None:
        spec.version.value = target.version
    elif target.label:
        spec.version_label = target.label


def _types(infos: Mapping[str, Any]) -> dict[str, str]:
    return {alias: dtypes.NAMES[info.dtype] for alias, info in infos.items()}


def _read(path: str | None) -> bytes | None:
    return Path(path).read_bytes() if path else None
