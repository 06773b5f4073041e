"""Listening sockets and the connections that came by them: looked after, drained, closed."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Any, Protocol

BACKLOG = 2048
_SWEEP_SECONDS = 1.0


class BindError(RuntimeError):
    """A port or socket cannot be had; the message says why."""


class Connection(Protocol):
    """What a listener needs of a connection."""

    def check(self, now: float) -> None:
        """Ends it if the client is too slow, or silent for too long."""

    def drain(self) -> None:
        """Ends it as soon as what is in flight is done."""

    def abort(self) -> None:
        """Ends it at once."""


class Listener:
    """Servers that share one kind of connection.

    Attributes:
        connections: those that are open; they enter and leave by themselves.
    """

    def __init__(self, make: Callable[["Listener"], asyncio.BaseProtocol]) -> None:
        self.connections: set[Any] = set()
        self._make = make
        self._sockets: list[tuple[socket.socket, ssl.SSLContext | None]] = []
        self._servers: list[asyncio.Server] = []
        self._sweep: asyncio.TimerHandle | None = None
        self._empty = asyncio.Event()

    def bind(self, port: int, tls: ssl.SSLContext | None, flag: str) -> None:
        """Takes a port on every interface.

        Raises:
            BindError: if it cannot be had.
        """
        try:
            self._sockets.append((socket.create_server(("0.0.0.0", port), backlog=BACKLOG), tls))
        except OSError as error:
            raise BindError(f"cannot listen on port {port} ({flag}): {error.strerror}") from error

    async def start(self, unix_path: str = "", flag: str = "") -> None:
        """Accepts connections, on a Unix socket as well if one is named.

        Raises:
            BindError: if that cannot be had.
        """
        loop = asyncio.get_running_loop()
        for bound, tls in self._sockets:
            server = await loop.create_server(lambda: self._make(self), sock=bound, ssl=tls, backlog=BACKLOG)
            self._servers.append(server)
        if unix_path:
            try:
                self._servers.append(
                    await loop.create_unix_server(lambda: self._make(self), unix_path, backlog=BACKLOG)
                )
            except OSError as error:
                raise BindError(f"cannot listen on unix:{unix_path} ({flag}): {error.strerror}") from error
        self._check_all()

    async def stop(self, seconds: float) -> None:
        """Takes no more connections, and waits so long at most for what is in flight."""
        for server in self._servers:
            server.close()
        for bound, _ in self._sockets:
            bound.close()
        for connection in list(self.connections):
            connection.drain()
        if self.connections:
            try:
                await asyncio.wait_for(self._empty.wait(), seconds)
            except TimeoutError:
                for connection in list(self.connections):
                    connection.abort()
        if self._sweep:
            self._sweep.cancel()

    def opened(self, connection: Connection) -> None:
        """A connection says that it is there."""
        self.connections.add(connection)
        self._empty.clear()

    def closed(self, connection: Connection) -> None:
        """A connection says that it has ended."""
        self.connections.discard(connection)
        if not self.connections:
            self._empty.set()

    def _check_all(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection in list(self.connections):
            connection.check(now)
        self._sweep = loop.call_later(_SWEEP_SECONDS, self._check_all)


def peer_name(transport: asyncio.BaseTransport) -> str:
    """The client's address; empty on a Unix socket."""
    name = transport.get_extra_info("peername")
    return str(name[0]) if isinstance(name, tuple) and name else ""


def peer_address(transport: asyncio.BaseTransport) -> str:
    """The same with the port, as gRPC writes it."""
    name = transport.get_extra_info("peername")
    return f"ipv4:{name[0]}:{name[1]}" if isinstance(name, tuple) and name else "unix:"
