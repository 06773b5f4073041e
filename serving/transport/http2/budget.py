"""Limits what a connection may do at little cost to the client but some cost to the server."""

from serving.transport.http2.frames import ErrorCode, H2ConnectionError

_BURST = 2000.0
_PER_SECOND = 200.0
_PER_ANSWER = 20.0


class Budget:
    """A token bucket: refilled over time and by answered calls, drained by frames that carry nothing.

    PING, SETTINGS, RST_STREAM, PRIORITY, empty DATA and CONTINUATION cost one. A client that makes calls earns more
    than it needs; one that only causes work (rapid reset, floods of SETTINGS or PING) runs out.
    """

    __slots__ = ("_tokens", "_until")

    def __init__(self, now: float) -> None:
        self._tokens = _BURST
        self._until = now

    def spend(self, now: float) -> None:
        """Pay for a frame.

        Raises:
            H2ConnectionError: there are no tokens left (ENHANCE_YOUR_CALM).
        """
        self._tokens = min(_BURST, self._tokens + (now - self._until) * _PER_SECOND) - 1
        self._until = now
        if self._tokens < 0:
            raise H2ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, "too many frames that carry nothing")

    def earn(self) -> None:
        """Add tokens for an answered call."""
        self._tokens = min(_BURST, self._tokens + _PER_ANSWER)
