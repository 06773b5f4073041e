"""Limits what a connection may do at little cost to the client but some cost to the server."""

from serving.transport.http2.frames import ErrorCode, H2ConnectionError

_BURST = 2000.0
_PER_SECOND = 200.0

#: What a request that was answered well adds; see `Stream.cost`.
ANSWERED = -20


class Budget:
    """A token bucket: refilled over time and by answered calls, drained by all that brings the client no result.

    PING, SETTINGS, RST_STREAM, PRIORITY, CONTINUATION, tiny DATA and WINDOW_UPDATE beyond what was sent cost one each,
    and so does every stream that the server resets or refuses for a fault of the client's (MadeYouReset,
    CVE-2025-8671). A client that makes calls earns more than it needs; one that only causes work runs out.
    """

    __slots__ = ("_tokens", "_until")

    def __init__(self, now: float) -> None:
        self._tokens = _BURST
        self._until = now

    def charge(self, now: float, cost: float = 1) -> None:
        """Take tokens, or add some if the cost is negative; the next frame is refused if there are none left."""
        self._tokens = min(_BURST, self._tokens + (now - self._until) * _PER_SECOND - cost)
        self._until = now

    def check(self) -> None:
        """Refuse to go on without tokens.

        Raises:
            H2ConnectionError: there are none left (ENHANCE_YOUR_CALM).
        """
        if self._tokens < 0:
            raise H2ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, "too many frames that carry nothing")

    def spend(self, now: float) -> None:
        """Pay for a frame.

        Raises:
            H2ConnectionError: there are no tokens left (ENHANCE_YOUR_CALM).
        """
        self.charge(now)
        self.check()
