"""Listening sockets and their connections: monitors, drains and closes them."""

import asyncio
import contextlib
import socket
import ssl
import sys
from collections.abc import Callable
from typing import Any, Protocol

from serving.transport.inflight import Inflight

BACKLOG = 2048
_SWEEP_SECONDS = 1.0
#: How much the kernel takes for a client before it is sent: with its default of megabytes, an answer that a slow client
#: takes steadily would not move for a minute.
_UNSENT = 1 << 17


class BindError(RuntimeError):
    """A port or socket is not available; the message says why."""


class Connection(Protocol):
    """The listener's view of a connection."""

    def check(self, now: float) -> None:
        """Close it if the client is too slow, or idle for too long."""

    def drain(self) -> None:
        """Close it once requests in flight are answered."""

    def abort(self) -> None:
        """Close it at once."""


class Listener:
    """Listening sockets that share one kind of connection.

    Attributes:
        connections: the open connections, which register and unregister themselves.
        inflight: the bytes that they hold; the listeners of one server share it.
    """

    def __init__(self, make: Callable[["Listener"], asyncio.BaseProtocol]) -> None:
        self.connections: set[Any] = set()
        self.inflight = Inflight(sys.maxsize)
        self._make = make
        self._sockets: list[tuple[socket.socket, ssl.SSLContext | None]] = []
        self._servers: list[asyncio.Server] = []
        self._sweep: asyncio.TimerHandle | None = None
        self._empty = asyncio.Event()

    def bind(self, host: str, port: int, tls: ssl.SSLContext | None, flag: str) -> None:
        """Bind a port on one address, or on every interface, IPv4 and IPv6, if `host` is empty.

        Raises:
            BindError: the address or the port is not available.
        """
        try:
            bound = _bound(host, port)
            if hasattr(socket, "TCP_NOTSENT_LOWAT"):
                bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT)
            self._sockets.append((bound, tls))
        except OSError as error:
            where = f"{host}, port {port}" if host else f"port {port}"
            raise BindError(f"cannot listen on {where} ({flag}): {error.strerror}") from error

    async def start(self, unix_path: str = "", flag: str = "") -> None:
        """Accept connections, also on a Unix socket if one is named.

        Raises:
            BindError: the Unix socket is not available.
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
        """Stop accepting connections, and wait up to `seconds` for requests in flight."""
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
        """Register a connection, which calls this itself."""
        self.connections.add(connection)
        self._empty.clear()

    def closed(self, connection: Connection) -> None:
        """Unregister a connection, which calls this itself."""
        self.connections.discard(connection)
        if not self.connections:
            self._empty.set()

    def _check_all(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection in list(self.connections):
            connection.check(now)
        self._sweep = loop.call_later(_SWEEP_SECONDS, self._check_all)


def _bound(host: str, port: int) -> socket.socket:
    if host:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    if socket.has_dualstack_ipv6():
        with contextlib.suppress(
            OSError
        ):  # IPv6 can be switched off in the kernel, or in a container's network
            return socket.create_server(
                ("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=BACKLOG
            )
    return socket.create_server(("0.0.0.0", port), backlog=BACKLOG)


def peer_name(transport: asyncio.BaseTransport) -> str:
    """Return the client's address; empty on a Unix socket."""
    name = transport.get_extra_info("peername")
    return _plain(str(name[0])) if isinstance(name, tuple) and name else ""


def peer_address(transport: asyncio.BaseTransport) -> str:
    """Return the client's address with the port, as gRPC writes it."""
    name = transport.get_extra_info("peername")
    if not (isinstance(name, tuple) and name):
        return "unix:"
    address = _plain(str(name[0]))
    return f"ipv6:[{address}]:{name[1]}" if ":" in address else f"ipv4:{address}:{name[1]}"


def _plain(address: str) -> str:
    """Return an IPv4 address as such: a socket of both families has it as an IPv6 one."""
    return address.removeprefix("::ffff:") if "." in address else address
