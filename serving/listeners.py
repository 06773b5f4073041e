"""The REST listener: uvicorn, with the application as it is and the signals left to us."""

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from serving.flags import Flags
from serving.ops.tls import Tls, ssl_context
from serving.rest.app import RestApi
from serving.rest.connection import Connection

log = logging.getLogger("slipway.server")


class StartError(RuntimeError):
    """The server cannot start; the message says why."""


class RestListener:
    """A running REST server."""

    def __init__(self, server: uvicorn.Server, listener: socket.socket) -> None:
        self._server = server
        self._task = asyncio.ensure_future(server.serve(sockets=[listener]))

    async def stop(self) -> None:
        """Takes no more requests, finishes those that run, and ends."""
        self._server.should_exit = True
        await self._task


def start_rest(app: RestApi, flags: Flags, tls: Tls | None) -> RestListener | None:
    """Starts REST, if the flags want it.

    Raises:
        StartError: if the port cannot be had.
    """
    port = flags.rest_api_port
    if not port:
        return None
    if port == flags.port:
        log.error("--rest_api_port is the same as --port (%d): the REST API is off", port)
        return None
    try:
        listener = socket.create_server(("0.0.0.0", port), backlog=2048)
    except OSError as error:
        raise StartError(f"cannot listen on port {port} (--rest_api_port): {error.strerror}") from error
    config = uvicorn.Config(
        app,
        loop="none",
        http=Connection,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        backlog=2048,
        timeout_graceful_shutdown=flags.drain_seconds,
    )
    config.load()
    if tls:
        config.ssl = ssl_context(tls)
    return RestListener(_Uvicorn(config), listener)


class _Uvicorn(uvicorn.Server):
    """Leaves the signals to us: REST and gRPC stop together."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
