"""The REST API as a bare ASGI function: a framework between it and the server would cost more than the model."""

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from serving.dataplane import DataPlane, engine_of
from serving.errors import HTTP_STATUS, Code, ServingError, invalid
from serving.examples import to_tensor
from serving.ops import metrics
from serving.ops.access_log import AccessLog
from serving.ops.auth import Tokens
from serving.ops.request_log import RequestLogs
from serving.rest import decode, encode, log_entries, metadata, routes
from serving.rest.body import Message, Receive, read_body
from serving.rest.connection import abandoned_with
from serving.rest.example_json import read_examples
from serving.signature import DEFAULT_SIGNATURE

Send = Callable[[Message], Awaitable[None]]

log = logging.getLogger("slipway.server")
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


@dataclass(frozen=True)
class Answer:
    """An HTTP response."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()


class RestApi:
    """The ASGI application.

    Attributes:
        started: whether the first models have come up; until then calls are answered UNAVAILABLE.
        draining: whether the server is about to stop, and so is not ready for more.
    """

    def __init__(
        self,
        plane: DataPlane,
        options: RestOptions,
        logs: RequestLogs,
        tokens: Tokens | None = None,
        access_log: AccessLog | None = None,
    ) -> None:
        self._plane = plane
        self._options = options
        self._logs = logs
        self._tokens = tokens
        self._access_log = access_log
        self.started = False
        self.draining = False

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            return
        started = time.monotonic()
        path: str = scope.get("raw_path", scope["path"].encode()).decode("latin-1").partition("?")[0]
        if path == self._options.metrics_path:
            answer = Answer(200, self._plane.metrics.page().encode(), (_TEXT,))
        elif path.startswith("/healthz/"):
            answer = health(path, self)
        elif path[:4].lower() == "/v1/":
            answer = await self._api(scope["method"], path, scope, receive, started)
        else:
            answer = Answer(404)
        length = (b"content-length", str(len(answer.body)).encode())
        await send(
            {"type": "http.response.start", "status": answer.status, "headers": [*answer.headers, length]}
        )
        await send({"type": "http.response.body", "body": answer.body})
        if self._access_log:
            took = time.monotonic() - started
            self._access_log.rest(
                scope, answer.status, took, scope.get("slipway.received", 0), len(answer.body)
            )

    def missing(self) -> list[str]:
        """The configured models that have no available version."""
        return self._plane.manager.not_ready()

    async def _api(self, method: str, path: str, scope: Message, receive: Receive, started: float) -> Answer:
        extra = _CORS if self._options.cors else ()
        if method == "OPTIONS":
            if _header(scope, b"origin").startswith((b"http://", b"https://")):
                return Answer(200, b"", extra)
            refusal = encode.error("Origin header is missing in CORS preflight")
            return Answer(400, refusal, (_JSON, *extra))
        model = call = ""
        code = Code.OK
        try:
            if self._tokens:
                self._tokens.check(_header(scope, b"authorization"))
            route = routes.parse(method, path)
            model, call = route.ref.name, route.method
            scope["slipway.model"] = model
            if not self.started:
                raise ServingError(Code.UNAVAILABLE, "the server is starting; its models are being loaded")
            if call == "status":
                body = metadata.status(self._plane.statuses(route.ref))
            elif call == "metadata":
                with self._plane.version(route.ref) as version:
                    body = metadata.metadata(model, version.number, engine_of(version).signature_defs)
            else:
                data = await read_body(scope, receive, self._plane.limits.body_bytes)
                scope["slipway.received"] = len(data)
                with abandoned_with(scope):
                    body = await self._call(route, data, started + self._options.timeout_seconds, scope)
        except ServingError as error:
            code, body = error.code, encode.error(error.message)
        except Exception as error:
            log.exception("a fault of the server, on %s %s", method, path)
            code, body = Code.INTERNAL, encode.error(f"a fault of the server: {type(error).__name__}")
        count = self._plane.metrics
        count.request_count.add(model, code.name)
        if code is Code.OK:
            api = call if method == "POST" else ""
            count.request_latency.observe((time.monotonic() - started) * 1e6, model, api, "REST")
        return Answer(HTTP_STATUS[code], body, (_JSON, *extra))

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
                # Thousands of small lists, which must not live on, and grow old for the collector, while waiting.
                del document
                outputs = await self._plane.predict(version, name, inputs, (), deadline)
                if self._logs.wants(version.model):
                    entry = log_entries.predict(version.model, version.number, key, inputs, outputs)
                    self._logs.put(version.model, entry)
                return encode.prediction(outputs, by_row=by_row)
            examples, context = read_examples(document.document)
            tensor = to_tensor(examples, context)
            if route.method == "classify":
                classes = await self._plane.classify(version, name, tensor, deadline)
                if self._logs.wants(version.model):
                    entry = log_entries.classify(version.model, version.number, name, tensor, classes)
                    self._logs.put(version.model, entry)
                return encode.classify(classes)
            values = await self._plane.regress(version, name, tensor, deadline)
            if self._logs.wants(version.model):
                entry = log_entries.regress(version.model, version.number, name, tensor, values)
                self._logs.put(version.model, entry)
            return encode.regress(values)


def health(path: str, api: RestApi) -> Answer:
    """Live: the process answers. Ready: every configured model has an available version."""
    if path == "/healthz/live":
        return Answer(200, b'{"status":"live"}', (_JSON,))
    if path != "/healthz/ready":
        return Answer(404)
    missing = api.missing()
    ready = api.started and not api.draining and not missing
    state = "ready" if ready else "draining" if api.draining else "waiting"
    body = encode.dump({"status": state, "models_without_version": missing}, {})
    return Answer(200 if ready else 503, body, (_JSON,))


def _header(scope: Message, name: bytes) -> bytes:
    for key, value in scope["headers"]:
        if key == name:
            found: bytes = value
            return found
    return b""
