"""The methods of a gRPC server, as the application of its HTTP/2 connections: routes requests to methods."""

from dataclasses import dataclass

from serving.errors import Code, ServingError
from serving.rpc import wire
from serving.rpc.calls import StreamingCall, UnaryCall
from serving.rpc.methods import Context, Methods, Streaming, Unary
from serving.transport.http2.connection import Http2Connection
from serving.transport.http2.headers import Head, literal, status
from serving.transport.http2.stream import Stream
from serving.transport.inflight import REFUSAL

_LARGEST_STREAMED = 1 << 16
#: Heads of this size, which nearly all have, are not charged: of 1,000 streams, they are 4 MiB.
_SMALL_HEAD = 4096
_TEXT = literal(b"content-type", b"text/plain; charset=utf-8")


@dataclass(frozen=True, slots=True)
class _Route:
    """What a request's headers mean for gRPC: determined once, and cached with them."""

    method: Unary | Streaming
    encoding: bytes
    timeout: float | None


class Services:
    """The methods of a server, as the application of its connections.

    Args:
        methods: by path, `/package.Service/Method`.
        max_message: the maximum size of a message.
    """

    def __init__(self, methods: Methods, max_message: int) -> None:
        self._methods = methods
        self._max_message = max_message

    def open(self, connection: Http2Connection, stream: Stream, head: Head) -> None:
        """See `Application`."""
        try:
            if head.size > _SMALL_HEAD and not connection.hold(stream, head.size):
                stream.cost = 0  # no fault of the client's
                raise ServingError(Code.RESOURCE_EXHAUSTED, REFUSAL)
            route: _Route | None = head.memo or self._route(head)
        except ServingError as error:
            connection.sender.headers(stream, wire.trailers_only(error.code, error.message), end=True)
            stream.finished()
            return
        if route is None:
            stream.handler = _Refusal(connection, stream, head)
            return
        head.memo = route
        deadline = None if route.timeout is None else stream.opened_at + route.timeout
        context = Context(head, connection.peer, deadline)
        if isinstance(route.method, Unary):
            largest = route.method.largest or self._max_message
            limit = min(largest, self._max_message)
            reader = wire.MessageReader(route.encoding, limit, apart=route.method.apart)
            stream.handler = UnaryCall(connection, stream, route.method, reader, context)
        else:
            reader = wire.MessageReader(route.encoding, _LARGEST_STREAMED)
            stream.handler = StreamingCall(connection, stream, route.method, reader, context)

    def _route(self, head: Head) -> _Route | None:
        """Return what the headers ask for; None if the request is not a gRPC request."""
        kind = head.get(b"content-type")
        if not kind.startswith(b"application/grpc") or kind[16:17] not in (b"", b"+", b";"):
            return None
        if head.get(b":method") != b"POST":
            return None
        path = head.get(b":path").decode("latin-1")
        method = self._methods.get(path)
        if method is None:
            raise ServingError(Code.UNIMPLEMENTED, f"Method not found: {path}")
        encoding = head.get(b"grpc-encoding")
        if encoding not in (b"", b"identity", *wire.ENCODINGS):
            name = encoding.decode("latin-1")
            raise ServingError(Code.UNIMPLEMENTED, f"grpc-encoding {name} is not supported; use gzip")
        return _Route(method, encoding, wire.read_timeout(head.get(b"grpc-timeout")))


class _Refusal:
    """A request that is not a gRPC request: answered when it is complete, as by any HTTP server."""

    is_prompt = True

    def __init__(self, connection: Http2Connection, stream: Stream, head: Head) -> None:
        self._connection = connection
        self._stream = stream
        self._status = 415 if head.get(b":method") == b"POST" else 405

    def data(self, data: bytes) -> None:
        """See `Handler`."""
        self._connection.consumed(self._stream, len(data))

    def end(self) -> None:
        """See `Handler`."""
        sender, stream = self._connection.sender, self._stream
        sender.headers(stream, status(self._status) + _TEXT)
        sender.data(stream, b"this port serves gRPC: use POST with the content-type application/grpc\n")
        sender.end(stream, literal(b"grpc-status", b"2"))

    def closed(self) -> None:
        """See `Handler`."""
