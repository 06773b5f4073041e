"""What every gRPC method shares: who may call, what is counted and logged, how errors are told."""

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from serving.errors import Code, ServingError, invalid
from serving.ops.access_log import AccessLog
from serving.ops.auth import Tokens

log = logging.getLogger("slipway.server")
_STATUS = {code.value[0]: code for code in grpc.StatusCode}


@dataclass
class Call:
    """One call as it goes through a method.

    Attributes:
        deadline: on the monotonic clock, or None.
        model: the model it turned out to be for.
        version: the version that answered.
    """

    deadline: float | None
    model: str = ""
    version: int | None = None


Method = Callable[[Any, Call], Awaitable[Any]]
Counted = Callable[[Call, Code, float], None]


@dataclass(frozen=True)
class Guard:
    """Wraps methods: checks the caller's token, and writes the access log."""

    tokens: Tokens | None = None
    access_log: AccessLog | None = None

    def unary(
        self, full_name: str, request_type: Any, method: Method, counted: Counted | None = None
    ) -> grpc.RpcMethodHandler:
        """A handler that takes and gives bytes: parsing here means that errors in it are ours to tell.

        Args:
            full_name: `/package.Service/Method`.
            request_type: the message to parse.
            method: takes the message and the call, returns a message; raises ServingError.
            counted: told of every call with its outcome and how long it took, in seconds.
        """

        async def handle(data: bytes, context: grpc.aio.ServicerContext) -> bytes:
            started = time.monotonic()
            remaining = context.time_remaining()
            call = Call(None if remaining is None else started + remaining)
            code, message, answer = Code.OK, "", b""
            try:
                self._check_token(context)
                try:
                    request = request_type.FromString(data)
                except DecodeError as error:
                    raise invalid(f"the request is no {request_type.DESCRIPTOR.full_name}: {error}") from None
                answer = (await method(request, call)).SerializeToString()
            except ServingError as error:
                code, message = error.code, error.message
            except Exception as error:
                log.exception("a fault of the server, on %s", full_name)
                code, message = Code.INTERNAL, f"a fault of the server: {type(error).__name__}"
            took = time.monotonic() - started
            if counted:
                counted(call, code, took)
            if self.access_log:
                self.access_log.grpc(context.peer(), full_name, code, took, len(data), len(answer), call)
            if code is not Code.OK:
                await context.abort(_STATUS[int(code)], message)
            return answer

        return grpc.unary_unary_rpc_method_handler(handle)

    async def check_stream(self, context: grpc.aio.ServicerContext) -> None:
        """Refuses a streaming call without a valid token."""
        try:
            self._check_token(context)
        except ServingError as error:
            await context.abort(_STATUS[int(error.code)], error.message)

    def _check_token(self, context: grpc.aio.ServicerContext) -> None:
        if self.tokens is None:
            return
        for key, value in context.invocation_metadata() or ():
            if key == "authorization":
                self.tokens.check(value if isinstance(value, bytes) else value.encode("latin-1", "replace"))
                return
        self.tokens.check(b"")
