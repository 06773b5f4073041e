"""The REST API as a bare ASGI function: a framework between it and the server would cost more than the model."""

import gzip
import io
import time
import zlib
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any

from serving.dataplane import DataPlane, engine_of
from serving.errors import HTTP_STATUS, Code, ServingError, invalid
from serving.examples import to_tensor
from serving.ops import metrics
from serving.rest import decode, encode, metadata, routes
from serving.rest.example_json import read_examples
from serving.signature import DEFAULT_SIGNATURE

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_JSON = (b"content-type", b"application/json")
_TEXT = (b"content-type", metrics.CONTENT_TYPE.encode())
_CORS = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"POST, GET"),
    (b"access-control-allow-headers", b"Content-Type"),
)


@dataclass(frozen=True)
class RestOptions:
    """How the REST API behaves.

    Attributes:
        timeout_seconds: how long a request may take.
        cors: whether browsers of other origins may call.
        metrics_path: where Prometheus finds the metrics; None for nowhere.
    """

    timeout_seconds: float = 30.0
    cors: bool = False
    metrics_path: str | None = None


class RestApi:
    """The ASGI application.

    Attributes:
        started: whether the first models have come up; until then calls are answered UNAVAILABLE.
        draining: whether the server is about to stop, and so is not ready for more.
    """

    def __init__(self, plane: DataPlane, options: RestOptions) -> None:
        self._plane = plane
        self._options = options
        self.started = False
        self.draining = False

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            return
        path: str = scope.get("raw_path", scope["path"].encode()).decode("latin-1").partition("?")[0]
        method: str = scope["method"]
        if path == self._options.metrics_path:
            await _reply(send, 200, self._plane.metrics.page().encode(), (_TEXT,))
        elif path.startswith("/healthz/"):
            await self._health(path, send)
        elif path[:4].lower() == "/v1/":
            await self._api(method, path, scope, receive, send)
        else:
            await _reply(send, 404, b"", ())

    async def _api(self, method: str, path: str, scope: Message, receive: Receive, send: Send) -> None:
        started = time.monotonic()
        extra = _CORS if self._options.cors else ()
        if method == "OPTIONS":
            origin = _header(scope, b"origin")
            if origin.startswith((b"http://", b"https://")):
                await _reply(send, 200, b"", extra)
            else:
                await _reply(
                    send, 400, encode.error("Origin header is missing in CORS preflight"), (_JSON, *extra)
                )
            return
        model = ""
        code = Code.OK
        try:
            route = routes.parse(method, path)
            model = route.ref.name
            scope["slipway.model"] = model
            if not self.started:
                raise ServingError(Code.UNAVAILABLE, "the server is starting; its models are being loaded")
            if route.method == "status":
                body = metadata.status(self._plane.statuses(route.ref))
            elif route.method == "metadata":
                with self._plane.version(route.ref) as version:
                    body = metadata.metadata(model, version.number, engine_of(version).signature_defs)
            else:
                data = await self._read(scope, receive)
                body = await self._call(route, data, started + self._options.timeout_seconds, scope)
        except ServingError as error:
            code, body = error.code, encode.error(error.message)
        count = self._plane.metrics
        count.request_count.add(model, code.name)
        if code is Code.OK:
            count.request_latency.observe(
                (time.monotonic() - started) * 1e6, model, "" if method == "GET" else route.method, "REST"
            )
        await _reply(send, HTTP_STATUS[code], body, (_JSON, *extra))

    async def _call(self, route: routes.Route, data: bytes, deadline: float, scope: Message) -> bytes:
        document = decode.Body(data)
        name = document.signature_name
        with self._plane.version(route.ref) as version:
            scope["slipway.version"] = version.number
            if route.method == "predict":
                key = name or DEFAULT_SIGNATURE
                signature = engine_of(version).signatures.get(key)
                if signature is None:
                    raise invalid(f'Serving signature name: "{key}" not found in signature def')
                inputs, by_row = decode.predict_inputs(document, signature, name)
                outputs = await self._plane.predict(version, name, inputs, (), deadline)
                return encode.prediction(outputs, by_row=by_row)
            tensor = to_tensor(*read_examples(document.document))
            if route.method == "classify":
                return encode.classify(await self._plane.classify(version, name, tensor, deadline))
            return encode.regress(await self._plane.regress(version, name, tensor, deadline))

    async def _read(self, scope: Message, receive: Receive) -> bytes:
        limit = self._plane.limits.body_bytes
        message = await receive()
        data: bytes = message.get("body", b"")
        if message.get("more_body") or message["type"] != "http.request":
            parts, size = [data], len(data)
            while message.get("more_body"):
                message = await receive()
                if message["type"] != "http.request":
                    raise ServingError(Code.CANCELLED, "the client went away")
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > limit:
                    parts.clear()  # the rest is read, so that the client gets to see the answer, and dropped
            data = b"".join(parts)
            if size > limit:
                raise _too_large(limit)
        if len(data) > limit:
            raise _too_large(limit)
        encoding = _header(scope, b"content-encoding").lower()
        return _decompress(data, encoding, limit) if encoding and encoding != b"identity" else data

    async def _health(self, path: str, send: Send) -> None:
        """Live: the process answers. Ready: every configured model has an available version."""
        if path == "/healthz/live":
            await _reply(send, 200, b'{"status":"live"}', (_JSON,))
        elif path == "/healthz/ready":
            missing = self._plane.manager.not_ready()
            ready = self.started and not self.draining and not missing
            state = "ready" if ready else "draining" if self.draining else "waiting"
            body = encode.dump({"status": state, "models_without_version": missing}, {})
            await _reply(send, 200 if ready else 503, body, (_JSON,))
        else:
            await _reply(send, 404, b"", ())


async def _reply(send: Send, status: int, body: bytes, headers: Iterable[tuple[bytes, bytes]]) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


def _header(scope: Message, name: bytes) -> bytes:
    for key, value in scope["headers"]:
        if key == name:
            found: bytes = value
            return found
    return b""


def _decompress(data: bytes, encoding: bytes, limit: int) -> bytes:
    """A compressed body; never more of it is unpacked than may be."""
    if encoding not in (b"gzip", b"x-gzip"):
        raise ServingError(
            Code.UNIMPLEMENTED, f"Content-Encoding {encoding.decode('latin-1')} is not supported; use gzip"
        )
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            unpacked = file.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise invalid(f"the body is not gzip as its Content-Encoding says: {error}") from None
    if len(unpacked) > limit:
        raise _too_large(limit)
    return unpacked


def _too_large(limit: int) -> ServingError:
    return ServingError(
        Code.RESOURCE_EXHAUSTED, f"the body is larger than the {limit} bytes that this server takes"
    )
