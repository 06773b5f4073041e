"""The service grpc.health.v1: whether the server, or one of its services, is ready.

The messages are declared here because the package that ships them requires a newer protobuf than TFX allows.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError

from serving.errors import Code, ServingError, invalid
from serving.messages.declared import declare
from serving.rpc.guard import Call, Guard
from serving.rpc.methods import Context, Methods, Streaming

SERVICE = "grpc.health.v1.Health"
KNOWN = ("", "ModelService", "PredictionService")
UNKNOWN, SERVING, NOT_SERVING, SERVICE_UNKNOWN = 0, 1, 2, 3
_WATCH_SECONDS = 1.0

_classes = declare(
    "grpc/health/v1/health.proto",
    "grpc.health.v1",
    {
        "HealthCheckRequest": {"service": (1, "string")},
        "HealthCheckResponse": {"status": (1, "enum .grpc.health.v1.ServingStatus")},
    },
    enums={"ServingStatus": ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")},
    services={
        "Health": {
            "Check": (".grpc.health.v1.HealthCheckRequest", ".grpc.health.v1.HealthCheckResponse"),
            "Watch": (".grpc.health.v1.HealthCheckRequest", "stream .grpc.health.v1.HealthCheckResponse"),
        }
    },
)
HealthCheckRequest: Any = _classes["HealthCheckRequest"]
HealthCheckResponse: Any = _classes["HealthCheckResponse"]


@dataclass(frozen=True)
class State:
    """The server's state: whether it is ready, and whether it is shutting down."""

    is_ready: Callable[[], bool]
    is_draining: Callable[[], bool]


def methods(server: State, guard: Guard) -> Methods:
    """Return the service's methods. Probes send no token, so none is required.

    Args:
        server: what they report.
        guard: for the access log.
    """
    open_guard = Guard(tokens=None, access_log=guard.access_log)

    def state(service: str) -> int:
        if service.rpartition(".")[2] not in KNOWN:
            return SERVICE_UNKNOWN
        return SERVING if server.is_ready() else NOT_SERVING

    async def check(request: Any, call: Call) -> Any:
        del call
        return HealthCheckResponse(status=state(request.service))

    async def watch(requests: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
        del context
        async for data in requests:
            try:
                service = HealthCheckRequest.FromString(data).service
            except DecodeError as error:
                raise invalid(f"the request is not a valid HealthCheckRequest: {error}") from None
            last = None
            while True:
                now = state(service)
                if now != last:
                    yield HealthCheckResponse(status=now).SerializeToString()
                    last = now
                if server.is_draining():  # a call without an end must not hold up the server's
                    raise ServingError(Code.UNAVAILABLE, "the server is shutting down")
                await asyncio.sleep(_WATCH_SECONDS)

    return {
        f"/{SERVICE}/Check": open_guard.unary(f"/{SERVICE}/Check", HealthCheckRequest, check),
        f"/{SERVICE}/Watch": Streaming(watch),
    }
