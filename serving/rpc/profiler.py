"""TensorFlow's profiler on the server's own port, as TensorFlow Serving offers it.

TensorFlow brings the service and can only put it on a port of its own, and on every interface. So that port is opened
when somebody with leave to call first profiles, not before, and calls are handed on as the bytes they are.
"""

import asyncio
import sys

import grpc

from serving.ops.auth import Tokens
from serving.process import free_port
from serving.rpc.call import Guard

SERVICE = "tensorflow.ProfilerService"
METHODS = ("Profile", "Terminate", "Monitor")


class Profiler:
    """Starts TensorFlow's service at the first call, and hands calls on to it."""

    def __init__(self, tokens: Tokens | None) -> None:
        self._guard = Guard(tokens=tokens)
        self._channel: grpc.aio.Channel | None = None
        self._lock = asyncio.Lock()

    def handler(self) -> grpc.GenericRpcHandler:
        """The service."""
        methods = {name: grpc.unary_unary_rpc_method_handler(self._method(name)) for name in METHODS}
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    def _method(self, name: str):  # type: ignore[no-untyped-def]  # gRPC's own callable type is private
        async def call(data: bytes, context: grpc.aio.ServicerContext) -> bytes:
            await self._guard.check_stream(context)
            if "tensorflow" not in sys.modules:  # a server of LiteRT models stays without it
                await context.abort(
                    grpc.StatusCode.UNIMPLEMENTED, "no TensorFlow model is served to be profiled"
                )
            channel = await self._open()
            try:
                answer: bytes = await channel.unary_unary(f"/{SERVICE}/{name}")(
                    data, timeout=context.time_remaining()
                )
            except grpc.aio.AioRpcError as error:
                await context.abort(error.code(), error.details() or "")
            return answer

        return call

    async def _open(self) -> grpc.aio.Channel:
        async with self._lock:
            if self._channel is None:
                port = await asyncio.to_thread(_start)
                options = [("grpc.max_receive_message_length", -1)]
                self._channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options)
        return self._channel


def _start() -> int:
    import tensorflow as tf  # loaded already, see above

    port = free_port()
    tf.profiler.experimental.server.start(port)
    return port
