"""The gRPC server: its services, addresses and options."""

from collections.abc import Callable

import grpc

from serving.dataplane import DataPlane
from serving.flags import Flags
from serving.http.listener import BindError
from serving.ops.request_log import RequestLogs
from serving.ops.tls import Tls
from serving.rpc import health, model_service, prediction, reflection
from serving.rpc.call import Guard
from serving.rpc.profiler import Profiler
from serving.text_config import ConfigError


def make_server(
    flags: Flags,
    plane: DataPlane,
    logs: RequestLogs,
    guard: Guard,
    tls: Tls | None,
    is_ready: Callable[[], bool],
) -> grpc.aio.Server:
    """The server, bound but not yet started.

    Raises:
        BindError: if an address cannot be had.
        ConfigError: if the channel arguments cannot be read.
    """
    service = prediction.PredictionService(plane, logs, flags.enable_serialization_as_tensor_content)
    handlers = [
        prediction.handler(service, guard),
        model_service.handler(plane, logs, guard),
        reflection.handler(guard, with_health=flags.enable_grpc_healthcheck_service),
    ]
    if flags.enable_grpc_healthcheck_service:
        handlers.append(health.handler(is_ready, guard))
    if flags.enable_profiler:
        handlers.append(Profiler(guard.tokens).handler())
    options: list[tuple[str, str | int]] = [
        ("grpc.max_receive_message_length", flags.max_request_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.so_reuseport", 0),
        *channel_arguments(flags.grpc_channel_arguments),
    ]
    server = grpc.aio.server(handlers=handlers, options=options)
    if flags.port:
        _bind(server, f"0.0.0.0:{flags.port}", tls, f"--port={flags.port}")
    if flags.grpc_socket_path:
        address = f"unix:{flags.grpc_socket_path}"
        _bind(server, address, None, f"--grpc_socket_path={flags.grpc_socket_path}")
    return server


def channel_arguments(text: str) -> list[tuple[str, str | int]]:
    """Reads `name=value,name=value`; what looks like an integer is one.

    Raises:
        ConfigError: for a part without '='.
    """
    arguments: list[tuple[str, str | int]] = []
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        if not equals:
            raise ConfigError(f"--grpc_channel_arguments: {part!r} is not name=value")
        number = value.removeprefix("-")
        arguments.append((name.strip(), int(value) if number.isdecimal() else value))
    return arguments


def _bind(server: grpc.aio.Server, address: str, tls: Tls | None, flag: str) -> None:
    try:
        if tls:
            credentials = grpc.ssl_server_credentials(
                [(tls.key, tls.certificate)], tls.authority, require_client_auth=tls.verify_clients
            )
            bound = server.add_secure_port(address, credentials)
        else:
            bound = server.add_insecure_port(address)
    except RuntimeError as error:
        raise BindError(f"cannot listen on {address} ({flag}): {error}") from error
    if not bound:
        raise BindError(f"cannot listen on {address} ({flag})")


__all__ = ["BindError", "ConfigError", "channel_arguments", "make_server"]
