"""The bytes that a server holds for its clients: requests that arrive or are in work, and answers not yet taken.

A connection opens an account, charges to it what it keeps, and gives it back when it lets go. Both ports of a server
share one budget, so that no mixture of clients makes it hold more. Heads are not counted:
they have limits of their own.
"""

import logging
import sys
import time

log = logging.getLogger("slipway.server")

#: What a client is told whose bytes have no room.
REFUSAL = "the server holds as many bytes in flight as it may (--max_inflight_bytes); try again later"
_SMALL = 1 << 20
_QUIET_SECONDS = 10.0


class Inflight:
    """The budget of one server.

    A connection may have half of it, and the last eighth is kept for connections that hold less than 1 MiB: a few
    clients with much in flight do not shut out those with little.

    Attributes:
        limit: the maximum number of bytes.
        small: the number of bytes up to which a connection counts as one with little.
        held: the number of bytes now.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.small = min(_SMALL - 1, limit // 2)
        self._for_large = limit - limit // 8
        self._share = limit // 2
        self._quiet_until = 0.0
        self.held = 0

    def account(self) -> "Account":
        """Return the account of a new connection."""
        return Account(self)

    def fits(self, held: int, size: int) -> bool:
        """Return whether a connection that holds some bytes may hold more, and log it if not."""
        total = held + size
        if total <= self.small:
            if self.held + size <= self.limit:
                return True
        elif total <= self._share and self.held + size <= self._for_large:
            return True
        now = time.monotonic()
        if now > self._quiet_until:
            self._quiet_until = now + _QUIET_SECONDS
            log.warning(
                "refusing a request of %d bytes: %d bytes are in flight, %d of them on its connection; one may hold "
                "%d, all together %d (--max_inflight_bytes)",
                size,
                self.held,
                held,
                self._share,
                self.limit,
            )
        return False


class Account:
    """What one connection holds."""

    __slots__ = ("_held", "_server")

    def __init__(self, server: Inflight) -> None:
        self._server = server
        self._held = 0

    def fits(self, size: int) -> bool:
        """Return whether there is room for this much."""
        return self._server.fits(self._held, size)

    def take(self, size: int) -> bool:
        """Charge bytes that the connection keeps from now on; return whether it may."""
        server = self._server
        held = self._held + size
        if (held > server.small or server.held + size > server.limit) and not server.fits(self._held, size):
            return False
        self._held = held
        server.held += size
        return True

    def give(self, size: int) -> None:
        """Give back bytes that the connection has let go."""
        self._held -= size
        self._server.held -= size

    def close(self) -> None:
        """Give back everything: the connection has ended. What is taken or given afterwards does not count."""
        self.give(self._held)
        self._server = Inflight(sys.maxsize)
