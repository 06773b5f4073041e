"""How slow a client may be while it sends a request or takes an answer."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Patience:
    """The limits of a slow client.

    Attributes:
        grace_seconds: how long a client may be silent.
        bytes_per_second: how fast it must be on average.
        most_seconds: how long one request may take to arrive, or one answer to be taken, however steadily.
    """

    grace_seconds: float = 30.0
    bytes_per_second: float = 16_384.0
    most_seconds: float = 600.0


class Pace:
    """Watches one transfer.

    It starts with the seconds of grace, spends them as time passes, and earns some back with every byte, but never more
    than it started with: a large part sent at once buys no long silence after it.
    """

    __slots__ = ("_began", "_checked", "_left", "_patience", "_size")

    def __init__(self, patience: Patience, now: float, size: int = 0) -> None:
        self._patience = patience
        self._began = self._checked = now
        self._left = patience.grace_seconds
        self._size = size

    def is_too_slow(self, now: float, size: int, share: float = 1.0) -> bool:
        """Return whether the client is too slow.

        Args:
            now: the time on the loop's clock.
            size: how many bytes have been transferred so far.
            share: the part of the connection that is this transfer's, where several share one.
        """
        patience = self._patience
        earned = (size - self._size) / (patience.bytes_per_second * share)
        self._left = min(self._left + earned - (now - self._checked), patience.grace_seconds)
        self._checked, self._size = now, size
        return self._left < 0 or now - self._began > patience.most_seconds
