"""TensorFlow's profiler on the server's own port, as TensorFlow Serving offers it.

TensorFlow brings the service and can only put it on a port of its own, and on every interface. So that port is opened
when somebody with leave to call first profiles, not before, and calls are handed on as the bytes they are.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from serving.errors import Code, ServingError
from serving.ops.auth import Tokens
from serving.process import free_port
from serving.rpc.call import Guard
from serving.rpc.calls import Context, Methods, Unary

if TYPE_CHECKING:
    import grpc

SERVICE = "tensorflow.ProfilerService"
METHODS = ("Profile", "Terminate", "Monitor")


class Profiler:
    """Starts TensorFlow's service at the first call, and hands calls on to it."""

    def __init__(self, tokens: Tokens | None) -> None:
        self._guard = Guard(tokens=tokens)
        self._channel: grpc.aio.Channel | None = None
        self._lock = asyncio.Lock()

    def methods(self) -> Methods:
        """The service's methods."""
        return {f"/{SERVICE}/{name}": Unary(self._method(name)) for name in METHODS}

    def _method(self, name: str) -> Callable[[bytes, Context], Awaitable[bytes]]:
        async def call(data: bytes, context: Context) -> bytes:
            self._guard.check(context)
            if "tensorflow" not in sys.modules:  # a server of LiteRT models stays without it
                raise ServingError(Code.UNIMPLEMENTED, "no TensorFlow model is served to be profiled")
            import grpc

            channel = await self._open()
            left = None if context.deadline is None else context.deadline - time.monotonic()
            try:
                answer: bytes = await channel.unary_unary(f"/{SERVICE}/{name}")(data, timeout=left)
            except grpc.aio.AioRpcError as error:
                raise ServingError(Code(error.code().value[0]), error.details() or "") from error
            return answer

        return call

    async def _open(self) -> "grpc.aio.Channel":
        import grpc  # late: only who profiles needs gRPC's own library here

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
