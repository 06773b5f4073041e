"""Requests that wait for their batch, and the alarm that answers those whose deadline passes meanwhile."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from serving.inference.executor import expired
from serving.messages.dtypes import Array


@dataclass(eq=False, slots=True)
class Waiting:
    """A request.

    Attributes:
        inputs: by alias.
        rows: the first dimension of each.
        shapes: must be equal for two requests to be combined.
        wanted: the outputs to compute.
        deadline: on the monotonic clock, or None.
        future: gets the outputs.
        queued: when it came, on the monotonic clock.
    """

    inputs: Mapping[str, Array]
    rows: int
    shapes: tuple[object, ...]
    wanted: Sequence[str]
    deadline: float | None
    future: "asyncio.Future[dict[str, Array]]"
    queued: float = field(default_factory=time.monotonic)

    def answer(self, outputs: dict[str, Array]) -> None:
        """Give it its outputs, unless it has left or was too late."""
        if not self.future.done():
            self.future.set_result(outputs)

    def fail(self, error: Exception) -> None:
        """Give it its error, unless it has left or was too late."""
        if not self.future.done():
            self.future.set_exception(error)

    def is_late(self, now: float) -> bool:
        """Return whether its deadline has passed."""
        return self.deadline is not None and now > self.deadline


class Alarm:
    """Fails requests whose deadline passes. One timer serves all: a timer for each would cost more than the rest.

    Args:
        all_waiting: returns those that are waiting or running now.
    """

    def __init__(self, all_waiting: Callable[[], Iterable[Waiting]]) -> None:
        self._all_waiting = all_waiting
        self._timer: asyncio.TimerHandle | None = None
        self._set_for = 0.0

    def watch(self, requests: Iterable[Waiting]) -> None:
        """See to it that these are answered at their deadlines."""
        first = min((one.deadline for one in requests if one.deadline is not None), default=None)
        if first is None or (self._timer is not None and self._set_for <= first):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._set_for = first
        self._timer = asyncio.get_running_loop().call_later(max(first - time.monotonic(), 0), self._ring)

    def _ring(self) -> None:
        self._timer = None
        now = time.monotonic()
        left = []
        for request in self._all_waiting():
            if request.is_late(now):
                request.fail(expired())
            elif not request.future.done():
                left.append(request)
        self.watch(left)
