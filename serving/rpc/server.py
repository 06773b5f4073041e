"""The gRPC server: its services, addresses and options."""

import logging

from serving.flags import Flags
from serving.inference.dataplane import DataPlane
from serving.messages.text_config import ServerConfigError
from serving.ops.request_log import RequestLogs
from serving.ops.tls import Tls, ssl_context
from serving.rpc import health, model_service, prediction, reflection
from serving.rpc.guard import Guard
from serving.rpc.methods import Streaming, Unary
from serving.rpc.profiler import Profiler
from serving.rpc.services import Services
from serving.transport.http2.connection import Http2Connection, Http2Limits
from serving.transport.listener import Listener

log = logging.getLogger("slipway.server")

_LARGEST_MESSAGE = "grpc.max_receive_message_length"
_STREAMS = "grpc.max_concurrent_streams"
_IDLE = "grpc.max_connection_idle_ms"
_AGE = "grpc.max_connection_age_ms"


def make_server(
    flags: Flags,
    plane: DataPlane,
    logs: RequestLogs,
    guard: Guard,
    tls: Tls | None,
    state: health.State,
) -> Listener:
    """Return the server, bound but not yet started.

    Raises:
        BindError: the port is not available.
        ServerConfigError: the channel arguments are invalid.
    """
    service = prediction.PredictionService(plane, logs, flags.enable_serialization_as_tensor_content)
    methods: dict[str, Unary | Streaming] = {
        **prediction.methods(service, guard),
        **model_service.methods(plane, logs, guard),
        **reflection.methods(guard, with_health=flags.enable_grpc_healthcheck_service),
    }
    if flags.enable_grpc_healthcheck_service:
        methods.update(health.methods(state, guard))
    if flags.enable_profiler:
        methods.update(Profiler(guard.tokens).methods())
    arguments = channel_arguments(flags.grpc_channel_arguments)
    for name in arguments.keys() - {_LARGEST_MESSAGE, _STREAMS, _IDLE, _AGE}:
        log.warning("--grpc_channel_arguments: %s has no effect", name)
    limits = Http2Limits(
        streams=arguments.get(_STREAMS, Http2Limits.streams),
        idle_seconds=arguments.get(_IDLE, 0) / 1000,
        age_seconds=arguments.get(_AGE, 0) / 1000,
    )
    services = Services(methods, arguments.get(_LARGEST_MESSAGE, flags.max_request_bytes))
    listener = Listener(lambda listener: Http2Connection(services, limits, listener))
    if flags.port:
        context = ssl_context(tls, ["h2"]) if tls else None
        listener.bind(flags.host, flags.port, context, "--port")
    return listener


def channel_arguments(text: str) -> dict[str, int]:
    """Parse `name=value,name=value`. An argument whose value is not an integer is left out, with a warning.

    Raises:
        ServerConfigError: a part has no '='.
    """
    arguments: dict[str, int] = {}
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        if not equals:
            raise ServerConfigError(f"--grpc_channel_arguments: {part!r} is not name=value")
        try:
            arguments[name.strip()] = int(value)
        except ValueError:
            log.warning("--grpc_channel_arguments: %s=%s is not an integer, and has no effect", name, value)
    return arguments
