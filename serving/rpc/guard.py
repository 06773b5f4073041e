"""What all gRPC methods share: authentication, metrics, the access log, and error handling."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from serving.errors import Code, ServingError
from serving.messages.dtypes import Array
from serving.ops.access_log import AccessLog
from serving.ops.auth import Tokens
from serving.rpc.methods import Context, Unary
from serving.rpc.wire import LARGE, Message, parse, size_of

log = logging.getLogger("slipway.server")


#: A message without tensors is at most as large as gRPC itself takes without being told.
_USUAL = 4 << 20
#: How the addresses of callers on this machine begin.
_LOCAL = ("unix:", "ipv4:127.", "ipv6:[::1]:")


@dataclass(slots=True)
class Call:
    """One call of a method.

    Attributes:
        deadline: on the monotonic clock, or None.
        model: the name of the requested model, once it is known.
        version: the version that answered.
        size: of the message as it came, in bytes.
        tensors: the inputs of a large request, whose message then lacks them.
    """

    deadline: float | None
    model: str = ""
    version: int | None = None
    size: int = 0
    tensors: dict[str, Array] | None = None


Method = Callable[[Any, Call], Awaitable[Any]]
Counted = Callable[[Call, Code, float], None]
#: Reads a large message, which may be compressed: returns it without its tensors, and those.
ReadLarge = Callable[[Message, Call], Awaitable[tuple[Any, dict[str, Array]]]]


@dataclass(frozen=True)
class Guard:
    """Wraps methods: checks the caller's token, and writes the access log.

    Attributes:
        tokens: of those who may call; None if everybody may.
        access_log: where calls are written.
        admins: the tokens of those who may change the configuration.
        remote: whether, without any tokens, another machine may do that.
    """

    tokens: Tokens | None = None
    access_log: AccessLog | None = None
    admins: Tokens | None = None
    remote: bool = False

    def unary(
        self,
        full_name: str,
        request_type: Any,
        method: Method,
        counted: Counted | None = None,
        *,
        control: bool = False,
        read_large: ReadLarge | None = None,
    ) -> Unary:
        """Return a method that takes and returns bytes: messages are parsed here, so that we report parse errors.

        Args:
            full_name: `/package.Service/Method`.
            request_type: the message to parse.
            method: takes the message and the call, returns a message; raises ServingError.
            counted: called after each call, with its code and its duration in seconds.
            control: whether it changes what is served.
            read_large: reads messages that would hold the event loop for long; without it there are none.
        """

        async def handle(data: Message, context: Context) -> bytes:
            started = time.monotonic()
            call = Call(context.deadline, size=size_of(data))
            code = Code.OK
            answer: bytes = b""
            try:
                if control:
                    self.check_control(context)
                else:
                    self.check(context)
                if isinstance(data, bytes) and (read_large is None or call.size <= LARGE):
                    request = parse(request_type, data)
                else:
                    assert read_large is not None, "only methods that read them take compressed messages"
                    request, call.tensors = await read_large(data, call)
                answer = (await method(request, call)).SerializeToString()
            except ServingError as error:
                code = error.code
                raise
            except asyncio.CancelledError:
                code = Code.DEADLINE_EXCEEDED if context.expired else Code.CANCELLED
                raise
            except Exception as error:
                log.exception("internal server error on %s", full_name)
                code = Code.INTERNAL
                raise ServingError(code, f"internal server error: {type(error).__name__}") from error
            finally:
                took = time.monotonic() - started
                if counted:
                    counted(call, code, took)
                if self.access_log:
                    size = len(answer)
                    self.access_log.grpc(context.peer, full_name, code, took, call.size, size, call)
            return answer

        return Unary(handle, None if read_large else _USUAL, apart=read_large is not None)

    def check(self, context: Context) -> None:
        """Raise UNAUTHENTICATED for a call without a valid token, if tokens are required."""
        if self.tokens is not None:
            self.tokens.check(context.head.get(b"authorization"))

    def check_control(self, context: Context) -> None:
        """Raise for a caller who may not change the configuration.

        Raises:
            ServingError: there is no valid token of an admin (UNAUTHENTICATED); tokens are required, but none is an
                admin's, or the call comes from another machine (PERMISSION_DENIED).
        """
        if self.admins is not None:
            self.admins.check(context.head.get(b"authorization"))
        elif self.tokens is not None:
            raise ServingError(
                Code.PERMISSION_DENIED,
                "changing the configuration needs a token of its own: start the server with --admin_token_file",
            )
        elif not self.remote and not context.peer.startswith(_LOCAL):
            raise ServingError(
                Code.PERMISSION_DENIED,
                "the configuration is changed from this machine alone: start the server with --admin_token_file or "
                "--allow_remote_reload to change it from others",
            )
