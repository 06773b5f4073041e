"""The client: requests predictions from a model server, ours or TensorFlow Serving itself.

    with Client("http://localhost:8501", "digits") as client:
        outputs = client.predict({"image": images})

The URL's scheme selects the protocol: `http` and `https` for REST, `grpc` and `grpcs` for gRPC.
"""

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import urlsplit

from serving.client.base import Fields, PredictError, Target, Transport, to_array, with_defaults
from serving.errors import Code
from serving.messages.dtypes import Array

Result = TypeVar("Result")
_RETRIED = (Code.UNAVAILABLE, Code.RESOURCE_EXHAUSTED)


class Client:
    """A connection to one model.

    Args:
        url: such as `http://localhost:8501` or `grpc://localhost:8500`.
        model_name: the model.
        version: its version; the latest if None.
        label: the label of the version, instead of `version`.
        signature_name: the signature; the default one if empty.
        timeout: seconds that a call may take, including retries.
        retries: how often a call is retried if the server is unavailable or busy.
        token: a bearer token, if the server requires one.
        ca: file with the server's certificate authority, if it is a private one.
        cert: files with the client's certificate and key, if the server requires them.
    """

    def __init__(
        self,
        url: str,
        model_name: str,
        *,
        version: int | None = None,
        label: str | None = None,
        signature_name: str = "",
        timeout: float = 30.0,
        retries: int = 3,
        token: str | None = None,
        ca: str | None = None,
        cert: tuple[str, str] | None = None,
    ) -> None:
        self._target = Target(model_name, version, label, signature_name)
        self._timeout = timeout
        self._retries = retries
        self._fields: Fields | None = None
        self._transport = _transport(url, token, ca, cert)

    def predict(self, inputs: Any) -> dict[str, Array]:
        """Return the model's outputs by name.

        Args:
            inputs: tensors by input name, or one tensor (anything numpy accepts) for a model with one input. Where the
                model has a default for an input, None may stand for a missing value, and the input may be left out.

        Raises:
            PredictError: the server refuses the request, or cannot be reached.
            ValueError: the inputs are not those of the model, or a value is None that the model requires.
        """
        fields = self.fields()
        named = inputs if isinstance(inputs, Mapping) else {next(iter(fields.inputs)): inputs}
        if not isinstance(inputs, Mapping) and len(fields.inputs) != 1:
            raise ValueError(f"the model has the inputs {sorted(fields.inputs)}; pass them by name")
        unknown = sorted(named.keys() - fields.inputs.keys())
        if unknown:
            raise ValueError(f"the model has no input {unknown}; it has {sorted(fields.inputs)}")
        given = with_defaults(named, fields)
        tensors = {alias: to_array(value, fields.inputs[alias]) for alias, value in given.items()}
        return self._retry(lambda left: self._transport.predict(self._target, tensors, fields, left))

    def fields(self) -> Fields:
        """Return the names and types of the signature's inputs and outputs, and defaults; requested only once."""
        if self._fields is None:
            self._fields = self._retry(lambda left: self._transport.describe(self._target, left))
        return self._fields

    def status(self) -> dict[int, str]:
        """Return the state of each version of the model."""
        return self._retry(lambda left: self._transport.status(self._target, left))

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _retry(self, call: Callable[[float], Result]) -> Result:
        deadline = time.monotonic() + self._timeout
        pause = 0.1
        for attempt in range(self._retries + 1):
            try:
                return call(max(deadline - time.monotonic(), 0.001))
            except PredictError as error:
                last = attempt == self._retries or time.monotonic() + pause > deadline
                if last or error.code not in _RETRIED:
                    raise
            time.sleep(pause)
            pause *= 2
        raise AssertionError("the last attempt returns or raises")


def _transport(url: str, token: str | None, ca: str | None, cert: tuple[str, str] | None) -> Transport:
    parts = urlsplit(url)
    if parts.scheme in ("http", "https") and parts.netloc:
        from serving.client.rest import RestTransport

        return RestTransport(url, token=token, ca=ca, cert=cert)
    if parts.scheme in ("grpc", "grpcs") and parts.netloc:
        from serving.client.rpc import GrpcTransport

        return GrpcTransport(parts.netloc, secure=parts.scheme == "grpcs", token=token, ca=ca, cert=cert)
    if parts.scheme == "unix":
        from serving.client.rpc import GrpcTransport

        return GrpcTransport(url, token=token)
    raise ValueError(f"server URL {url!r}: use http://, https://, grpc:// or grpcs://, then HOST:PORT")
