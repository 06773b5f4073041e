"""The REST API: routes requests to the data plane, and writes the responses."""

import asyncio
import logging
import time
from dataclasses import dataclass

from serving.engine.signature import DEFAULT_SIGNATURE
from serving.errors import HTTP_STATUS, Code, ServingError
from serving.inference.dataplane import DataPlane
from serving.inference.examples import INPUTS
from serving.inference.runners import engine_of
from serving.ops import metrics
from serving.ops.access_log import AccessLog
from serving.ops.auth import Tokens
from serving.ops.request_log import RequestLogs
from serving.rest import encode, log_entries, metadata, routes
from serving.rest.read import Reader
from serving.transport.http1.message import JSON, Answer, Body, Request
from serving.version import version as own_version

log = logging.getLogger("slipway.server")
#: So many numbers are encoded in another process: in a thread, the event loop would wait for them again and again.
_LARGE_ANSWER = 1 << 17
_TEXT = f"content-type: {metrics.CONTENT_TYPE}\r\n".encode()
_CORS = (
    b"access-control-allow-origin: *\r\n"
    b"access-control-allow-methods: POST, GET\r\n"
    b"access-control-allow-headers: Content-Type\r\n"
)


@dataclass(frozen=True)
class RestOptions:
    """The options of the REST API.

    Attributes:
        timeout_seconds: the timeout of a request.
        cors: whether cross-origin requests from browsers are allowed.
        metrics_path: the path of the Prometheus metrics; None if they are not served.
    """

    timeout_seconds: float = 30.0
    cors: bool = False
    metrics_path: str | None = None


@dataclass(slots=True)
class _Call:
    """What is known of a request, for metrics and logs."""

    started: float
    model: str = ""
    method: str = ""
    version: int | None = None


class RestApi:
    """The application behind HTTP.

    Attributes:
        started: whether the first models are loaded; until then calls are answered UNAVAILABLE.
        draining: whether the server is shutting down, and so is not ready.
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
        self._reader = Reader(plane.offload, plane.limits.body_bytes)
        self._options = options
        self._logs = logs
        self._tokens = tokens
        self._access_log = access_log
        self._headers = JSON + (_CORS if options.cors else b"")
        self.started = False
        self.draining = False

    def answer_at_once(self, request: Request) -> Answer | None:
        """See `Application`. Answers everything but model calls, and rejects invalid or unauthorized ones."""
        call = _Call(time.monotonic())
        path, method = request.path, request.method
        if path[:4].lower() != "/v1/":
            if path == self._options.metrics_path:
                answer = Answer(200, self._plane.metrics.page().encode(), _TEXT)
            elif path == "/" and method in ("GET", "HEAD"):
                answer = Answer(200, metadata.about(own_version()), self._headers)
            else:
                answer = health(path, self) if path.startswith("/healthz/") else Answer(404)
            self._note(request, answer, call)
            return answer
        if method == "OPTIONS":
            answer = self._preflight(request)
            self._note(request, answer, call)
            return answer
        try:
            if self._tokens:
                self._tokens.check(request.header(b"authorization"))
            route = self._route(request, call)
            if route.method == "list":
                manager = self._plane.manager
                body = metadata.models({one.name: manager.status(one.name) for one in manager.configs()})
            elif route.method == "status":
                body = metadata.status(self._plane.statuses(route.ref))
            elif route.method == "metadata":
                with self._plane.version(route.ref) as version:
                    body = metadata.metadata(
                        route.ref.name, version.number, engine_of(version).signature_defs
                    )
            else:
                return None
        except Exception as error:
            return self._refusal(request, call, error)
        return self._counted(request, call, Code.OK, body)

    async def answer(self, request: Request) -> Answer:
        """See `Application`. Answers model calls."""
        call = _Call(time.monotonic())
        try:
            route = self._route(request, call)
            body = await self._call(route, request, call)
        except asyncio.CancelledError:
            if not request.abandoned:
                raise
            return self._refusal(request, call, ServingError(Code.CANCELLED, "the client disconnected"))
        except Exception as error:
            return self._refusal(request, call, error)
        return self._counted(request, call, Code.OK, body)

    def missing(self) -> list[str]:
        """Return the configured models that have no available version."""
        return self._plane.manager.not_ready()

    def _route(self, request: Request, call: _Call) -> routes.Route:
        route = routes.parse(request.method, request.path)
        call.model, call.method = route.ref.name, route.method
        if not self.started:
            raise ServingError(Code.UNAVAILABLE, "the server is starting and loading its models")
        return route

    def _preflight(self, request: Request) -> Answer:
        if request.header(b"origin").startswith((b"http://", b"https://")):
            return Answer(200, b"", _CORS if self._options.cors else b"")
        return Answer(400, encode.error("Origin header is missing in CORS preflight"), self._headers)

    def _refusal(self, request: Request, call: _Call, error: Exception) -> Answer:
        if isinstance(error, ServingError):
            return self._counted(request, call, error.code, encode.error(error.message))
        log.error("internal server error on %s %s", request.method, request.path, exc_info=error)
        body = encode.error(f"internal server error: {type(error).__name__}")
        return self._counted(request, call, Code.INTERNAL, body)

    def _counted(self, request: Request, call: _Call, code: Code, body: Body) -> Answer:
        count = self._plane.metrics
        self._plane.count_request(call.model, code)
        if code is Code.OK:
            api = call.method if request.method == "POST" else ""
            count.request_latency.observe((time.monotonic() - call.started) * 1e6, call.model, api, "REST")
        answer = Answer(HTTP_STATUS[code], body, self._headers)
        self._note(request, answer, call)
        return answer

    def _note(self, request: Request, answer: Answer, call: _Call) -> None:
        if self._access_log:
            took = time.monotonic() - call.started
            self._access_log.rest(request, answer.status, took, len(answer.body), call)

    async def _call(self, route: routes.Route, request: Request, call: _Call) -> Body:
        deadline = call.started + self._options.timeout_seconds
        plane, model, method = self._plane, route.ref.name, route.method
        document = self._reader.document(request)
        if document is not None:
            _ = (
                document.signature_name
            )  # TensorFlow Serving, too, reads the document before it looks for the model
        with plane.version(route.ref) as version:
            call.version = version.number
            signatures = engine_of(version).signatures
            asked = await self._reader.read(document, request, method, signatures, deadline)
            # Thousands of small lists, which must not reach the collector's older generations while waiting.
            del document
            name, inputs = asked.signature_name, asked.inputs
            logged = self._logs.wants(model)
            if method == "predict":
                outputs = await plane.predict(version, name, inputs, (), deadline)
                if logged:
                    key = name or DEFAULT_SIGNATURE
                    self._logs.put(model, log_entries.predict(model, version.number, key, inputs, outputs))
                size = sum(value.size for value in outputs.values())
                if size > _LARGE_ANSWER and not any(value.dtype.kind == "O" for value in outputs.values()):
                    written = await plane.offload.run(
                        encode.prediction_apart, b"", outputs, asked.by_row, deadline=deadline
                    )
                    return written.data
                return await plane.offload.by_size(size, encode.prediction, outputs, asked.by_row)
            tensor = inputs[INPUTS]
            if method == "classify":
                classes = await plane.classify(version, name, tensor, deadline)
                if logged:
                    self._logs.put(model, log_entries.classify(model, version.number, name, tensor, classes))
                size = sum(map(len, classes.rows))
                return await plane.offload.by_size(size, encode.classify, classes)
            values = await plane.regress(version, name, tensor, deadline)
            if logged:
                self._logs.put(model, log_entries.regress(model, version.number, name, tensor, values))
            return await plane.offload.by_size(len(values.values), encode.regress, values)


def health(path: str, api: RestApi) -> Answer:
    """Answer a health probe. Live: the process answers. Ready: every configured model has an available version."""
    if path == "/healthz/live":
        return Answer(200, b'{"status":"live"}', JSON)
    if path != "/healthz/ready":
        return Answer(404)
    missing = api.missing()
    ready = api.started and not api.draining and not missing
    state = "ready" if ready else "draining" if api.draining else "waiting"
    body = encode.dump({"status": state, "models_without_version": missing})
    return Answer(200 if ready else 503, body, JSON)
