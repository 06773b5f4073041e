"""How much of what costs the client little and the server something a connection may do."""

from serving.transport.http2.frames import ErrorCode, H2ConnectionError

_BURST = 2000.0
_PER_SECOND = 200.0
_PER_ANSWER = 20.0


class Budget:
    """A bucket of tokens: filled by time and by real work, emptied by frames that are none.

    PING, SETTINGS, RST_STREAM, PRIORITY, empty DATA and CONTINUATION cost one. A client that makes calls earns more
    than it needs; one that only makes work (rapid reset, floods of SETTINGS or PING) runs dry.
    """

    __slots__ = ("_tokens", "_until")

    def __init__(self, now: float) -> None:
        self._tokens = _BURST
        self._until = now

    def spend(self, now: float) -> None:
        """Pays for a frame.

        Raises:
            H2ConnectionError: ENHANCE_YOUR_CALM, when there is nothing left.
        """
        self._tokens = min(_BURST, self._tokens + (now - self._until) * _PER_SECOND) - 1
        self._until = now
        if self._tokens < 0:
            raise H2ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, "too many frames that carry nothing")

    def earn(self) -> None:
        """A call was answered."""
        self._tokens = min(_BURST, self._tokens + _PER_ANSWER)
