"""The client's REST transport."""

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
import orjson
from google.protobuf import json_format

from serving.client.base import Fields, PredictError, Target, to_array
from serving.engine.signature import DEFAULT_SIGNATURE
from serving.errors import HTTP_STATUS, Code
from serving.messages import tensors
from serving.messages.dtypes import Array
from serving.messages.protos import tensor_pb2

_CODES = {
    400: Code.INVALID_ARGUMENT,
    409: Code.ABORTED,
    500: Code.INTERNAL,
    **{
        status: code
        for code, status in HTTP_STATUS.items()
        if status not in (400, 409, 500)  # several codes share these
    },
}


class RestTransport:
    """Calls `<url>/v1/models/…`.

    Args:
        url: `http://host:port` or `https://host:port`.
        token: a bearer token, if the server requires one.
        ca: file with the server's certificate authority, if it is a private one.
        cert: files with the client's certificate and key, if the server requires them.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        ca: str | None = None,
        cert: tuple[str, str] | None = None,
    ) -> None:
        import ssl

        context: Any = True
        if url.startswith("https"):
            context = ssl.create_default_context(cafile=ca)
            if cert:
                context.load_cert_chain(*cert)
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=url.rstrip("/"), headers=headers, verify=context)

    def describe(self, target: Target, timeout: float) -> Fields:
        """See `Transport`."""
        document = self._call("GET", f"{_path(target)}/metadata", None, timeout)
        signatures = document["metadata"]["signature_def"]["signature_def"]
        name = target.signature_name or DEFAULT_SIGNATURE
        if name not in signatures:
            raise PredictError(
                Code.FAILED_PRECONDITION,
                f"model {target.model} has no signature '{name}'; it has {sorted(signatures)}",
            )
        return Fields(
            {alias: info["dtype"] for alias, info in signatures[name]["inputs"].items()},
            {alias: info["dtype"] for alias, info in signatures[name]["outputs"].items()},
            {alias: _tensor(value, alias) for alias, value in signatures[name].get("defaults", {}).items()},
        )

    def predict(
        self, target: Target, inputs: Mapping[str, Array], fields: Fields, timeout: float
    ) -> dict[str, Array]:
        """See `Transport`."""
        request: dict[str, Any] = {"inputs": {alias: _to_json(value) for alias, value in inputs.items()}}
        if target.signature_name:
            request["signature_name"] = target.signature_name
        outputs = self._call("POST", f"{_path(target)}:predict", _dump(request), timeout)["outputs"]
        if len(fields.outputs) == 1:
            outputs = {next(iter(fields.outputs)): outputs}
        return {alias: _from_json(value, fields.outputs[alias]) for alias, value in outputs.items()}

    def status(self, target: Target, timeout: float) -> dict[int, str]:
        """See `Transport`."""
        document = self._call("GET", _path(target), None, timeout)
        return {int(entry["version"]): entry["state"] for entry in document["model_version_status"]}

    def close(self) -> None:
        """See `Transport`."""
        self._http.close()

    def _call(self, method: str, path: str, body: bytes | None, timeout: float) -> Any:
        try:
            response = self._http.request(method, path, content=body, timeout=timeout)
        except httpx.TimeoutException as error:
            raise PredictError(
                Code.DEADLINE_EXCEEDED, f"{self._http.base_url}: no answer within {timeout:g} s"
            ) from error
        except httpx.HTTPError as error:
            raise PredictError(Code.UNAVAILABLE, f"cannot reach {self._http.base_url}: {error}") from error
        try:
            # Python's parser, because the server's answer may contain NaN and Infinity.
            document = json.loads(response.content)
        except ValueError:
            document = None
        if response.status_code == 200 and isinstance(document, dict):
            return document
        text = document.get("error") if isinstance(document, dict) else response.text[:200]
        code = _CODES.get(response.status_code, Code.UNKNOWN)
        raise PredictError(code, f"{response.status_code} {text or response.reason_phrase}")


def _path(target: Target) -> str:
    path = f"/v1/models/{quote(target.model, safe='')}"
    if target.version is not None:
        return f"{path}/versions/{target.version}"
    return f"{path}/labels/{quote(target.label, safe='')}" if target.label else path


def _tensor(document: Any, alias: str) -> Array:
    proto = json_format.ParseDict(document, tensor_pb2.TensorProto(), ignore_unknown_fields=True)
    return tensors.to_array(proto, alias)


def _to_json(value: Array) -> Any:
    if value.dtype == object:
        return _bytes_to_json(value.tolist())
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        return value.tolist()
    return np.ascontiguousarray(value) if value.ndim else value[()]


def _bytes_to_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_bytes_to_json(item) for item in value]
    return {"b64": base64.b64encode(value).decode()}


def _dump(document: dict[str, Any]) -> bytes:
    if any(isinstance(value, list | float) for value in document["inputs"].values()):
        # A list here holds bytes, or NaN or Infinity, which only Python's encoder can write.
        return json.dumps(document, default=lambda value: value.tolist()).encode()
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)


def _from_json(value: Any, dtype: str) -> Array:
    return to_array(_plain_bytes(value) if dtype == "DT_STRING" else value, dtype)


def _plain_bytes(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain_bytes(item) for item in value]
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else value
