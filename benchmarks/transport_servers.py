"""The server's REST and gRPC applications behind one transport or another: run by `benchmarks.transports`.

    python -m benchmarks.transport_servers TRANSPORT MODEL_BASE_PATH PORT

What answers is the same in all: our REST application for `http1` and `uvicorn`, our PredictionService for `http2`, `h2`
and `grpc.aio`. Only what is between the socket and it differs.
"""

import asyncio
import struct
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvloop

from serving import options
from serving.engine.base import Engine
from serving.errors import ServingError
from serving.flags import Flags
from serving.inference.dataplane import DataPlane
from serving.manager.manager import ModelManager
from serving.manager.model_config import ServedModel
from serving.ops.limits import Limits
from serving.ops.metrics import Metrics
from serving.ops.request_log import RequestLogs
from serving.rest.app import RestApi, RestOptions
from serving.rest.server import rest_listener
from serving.rpc import prediction
from serving.rpc.guard import Guard
from serving.rpc.methods import Context, Unary
from serving.rpc.services import Services
from serving.transport.http1.message import Request
from serving.transport.http2.connection import Http2Connection, Http2Limits
from serving.transport.http2.headers import Head
from serving.transport.listener import Listener

_PREFIX = struct.Struct(">BL")
_CONTENT_TYPE = ("content-type", "application/grpc")


def _warm_up(model: str, engine: Engine, folder: Path) -> None:
    """Models are not warmed up here."""


def applications(base_path: str, cache: Path) -> tuple[RestApi, dict[str, Unary]]:
    """Load the model; returns the REST application and the gRPC methods, by path."""
    metrics = Metrics()
    logs = RequestLogs(metrics, 0)
    manager = ModelManager(options.manager(Flags(), cache, _warm_up, metrics))
    manager.set_models([ServedModel("default", base_path)]).result()
    plane = DataPlane(manager, lambda *_: None, metrics, Limits())
    rest = RestApi(plane, RestOptions(), logs)
    rest.started = True
    return rest, dict(prediction.methods(prediction.PredictionService(plane, logs), Guard()))  # type: ignore[arg-type]


async def http1(rest: RestApi, port: int) -> None:
    """Serve REST by our own HTTP/1.1."""
    listener = rest_listener(rest, Flags(rest_api_port=port), None)
    assert listener
    await listener.start()
    await asyncio.Event().wait()


async def uvicorn(rest: RestApi, port: int) -> None:
    """Serve REST by uvicorn (httptools, uvloop)."""
    import uvicorn as package

    async def application(scope: Any, receive: Any, send: Any) -> None:
        headers = list(scope["headers"])
        request = Request(scope["method"], scope["raw_path"].decode(), headers, scope["client"][0])
        answer = rest.answer_at_once(request)
        if answer is None:
            parts, more = [], True
            while more:
                message = await receive()
                parts.append(message.get("body", b""))
                more = message.get("more_body", False)
            request.body = b"".join(parts)
            answer = await rest.answer(request)
        lines = [line.partition(b": ")[::2] for line in answer.headers.split(b"\r\n") if line]
        lines.append((b"content-length", b"%d" % len(answer.body)))
        await send({"type": "http.response.start", "status": answer.status, "headers": lines})
        await send({"type": "http.response.body", "body": answer.body})

    config = package.Config(
        application, port=port, lifespan="off", log_level="error", access_log=False, http="httptools"
    )
    await package.Server(config).serve()


async def http2(methods: dict[str, Unary], port: int) -> None:
    """Serve gRPC by our own HTTP/2."""
    services = Services(methods, 1 << 30)
    listener = Listener(lambda listener: Http2Connection(services, Http2Limits(), listener))
    listener.bind("", port, None, "")
    await listener.start()
    await asyncio.Event().wait()


async def grpc_aio(methods: dict[str, Unary], port: int) -> None:
    """Serve gRPC by grpcio's asyncio server."""
    import grpc

    def handler(call: Callable[[bytes, Context], Awaitable[bytes]]) -> Any:
        async def handle(message: bytes, context: Any) -> bytes:
            return await call(message, Context(Head([]), context.peer(), None))

        return grpc.unary_unary_rpc_method_handler(handle)

    server = grpc.aio.server(options=[("grpc.max_receive_message_length", -1)])
    service = prediction.SERVICE
    named = {path.rpartition("/")[2]: handler(method.call) for path, method in methods.items()}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, named),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


async def h2(methods: dict[str, Unary], port: int) -> None:
    """Serve gRPC by the package h2 and an asyncio protocol as small as it can be."""
    from h2.config import H2Configuration
    from h2.connection import H2Connection
    from h2.events import DataReceived, RequestReceived, StreamEnded

    class Protocol(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport
            config = H2Configuration(client_side=False, header_encoding=None, validate_inbound_headers=False)
            self.h2 = H2Connection(config)
            self.h2.initiate_connection()
            self.h2.increment_flow_control_window(4 << 20)
            self.paths: dict[int, str] = {}
            self.bodies: dict[int, bytearray] = {}
            transport.write(self.h2.data_to_send())

        def data_received(self, data: bytes) -> None:
            for event in self.h2.receive_data(data):
                if isinstance(event, RequestReceived):
                    self.paths[event.stream_id] = dict(event.headers)[b":path"].decode()
                    self.bodies[event.stream_id] = bytearray()
                elif isinstance(event, DataReceived):
                    self.bodies[event.stream_id] += event.data
                    if event.flow_controlled_length:
                        self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, StreamEnded):
                    asyncio.create_task(self.answer(event.stream_id))  # noqa: RUF006  (the loop's tasks keep it)
            self.transport.write(self.h2.data_to_send())

        async def answer(self, stream: int) -> None:
            path, body = self.paths.pop(stream), bytes(self.bodies.pop(stream))
            context = Context(Head([]), "", None)
            try:
                message = await methods[path].call(body[_PREFIX.size :], context)
                status = [("grpc-status", "0")]
            except ServingError as error:
                message, status = (
                    b"",
                    [("grpc-status", str(int(error.code))), ("grpc-message", error.message)],
                )
            self.h2.send_headers(stream, [(":status", "200"), _CONTENT_TYPE])
            framed = _PREFIX.pack(0, len(message)) + message
            for start in range(0, len(framed), 16_384):  # the answers here fit the client's window
                self.h2.send_data(stream, framed[start : start + 16_384])
            self.h2.send_headers(stream, status, end_stream=True)
            self.transport.write(self.h2.data_to_send())

    await asyncio.get_running_loop().create_server(Protocol, "127.0.0.1", port)
    await asyncio.Event().wait()


TRANSPORTS: dict[str, Any] = {
    "http1": http1,
    "uvicorn": uvicorn,
    "http2": http2,
    "h2": h2,
    "grpc.aio": grpc_aio,
}


async def _main(transport: str, base_path: str, port: int) -> None:
    with tempfile.TemporaryDirectory() as cache:
        rest, methods = await asyncio.to_thread(applications, base_path, Path(cache))
        sys.setswitchinterval(0.0005)  # as the server does it
        await TRANSPORTS[transport](rest if transport in ("http1", "uvicorn") else methods, port)


if __name__ == "__main__":
    uvloop.run(_main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
