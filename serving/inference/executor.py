"""Runs a model's calls, on the event loop or in a thread.

A call of a millisecond or less runs on the event loop itself: handing it to a thread would cost more than the call,
and requests that arrive meanwhile simply queue. It must be certain to be one: the signature is steady
(`engine/steady.py`), and rows of the same shapes, as many or more, have been as quick. All others run in a thread, so
that the loop stays responsive.

Wall time includes waits for the GIL and for a core, which under load are longer than a small model's run: they are
subtracted, or a model once moved to the threads would never return to the loop.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from serving.errors import Code, ServingError
from serving.messages.dtypes import Array

Result = TypeVar("Result")
#: The shape of a row of each input, and how many bytes of strings there are, as a power of two.
RowShapes = tuple[object, ...]
#: Those, and the number of rows.
Measure = tuple[RowShapes, int]

INLINE_SECONDS = 0.001
_LOCK_WAITS = 4
_MOST_SHAPES = 256
_MOST_STRINGS = 1024


class Executor:
    """Runs the calls of one signature of one version.

    Args:
        pool: the threads.
        steady: whether the run time follows from the shapes of the inputs.
    """

    def __init__(self, pool: ThreadPoolExecutor, *, steady: bool = False) -> None:
        self._pool = pool
        self._steady = steady
        self._quick: dict[RowShapes, int] = {}  # so many rows were quick

    def run_if_quick(self, call: Callable[[], Result], inputs: Mapping[str, Array]) -> Result | None:
        """Run a call on the event loop and return its result; None if it is not certain to be quick."""
        measured = self._measured(inputs)
        return self._timed(call, measured) if self._is_quick(measured) else None

    async def run(
        self, call: Callable[[], Result], inputs: Mapping[str, Array], deadline: float | None = None
    ) -> Result:
        """Run a call and return its result.

        Args:
            call: what to run.
            inputs: what it runs on.
            deadline: on the monotonic clock. When it passes, a running call continues but its result is discarded;
                a call still waiting for a thread is never started, nor is one whose caller was cancelled.

        Raises:
            ServingError: the deadline has passed (DEADLINE_EXCEEDED).
        """
        if deadline is not None and time.monotonic() > deadline:
            raise expired()
        measured = self._measured(inputs)
        if self._is_quick(measured):
            return self._timed(call, measured)
        future = asyncio.get_running_loop().run_in_executor(self._pool, self._timed, call, measured)
        if deadline is None:
            return await future
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                return await future
        except TimeoutError:
            raise expired() from None

    def _measured(self, inputs: Mapping[str, Array]) -> Measure | None:
        return _measure(inputs) if self._steady else None

    def _is_quick(self, measured: Measure | None) -> bool:
        return measured is not None and self._quick.get(measured[0], -1) >= measured[1]

    def _timed(self, call: Callable[[], Result], measured: Measure | None) -> Result:
        """Run a call in this thread, and remember whether it was quick."""
        if measured is None:
            return call()
        started, busy = time.perf_counter(), time.thread_time()
        result = call()
        # At least the thread's own CPU time; the work of TensorFlow's threads shows only in the wall time.
        waits = _LOCK_WAITS * sys.getswitchinterval()
        took = max(time.perf_counter() - started - waits, time.thread_time() - busy)
        self._note(measured, took)
        return result

    def _note(self, measured: Measure, took: float) -> None:
        shapes, rows = measured
        quick = self._quick.get(shapes, -1)
        if took > INLINE_SECONDS:
            if rows <= quick:
                self._quick[shapes] = rows - 1
        elif rows > quick:
            if len(self._quick) >= _MOST_SHAPES:
                self._quick.clear()
            self._quick[shapes] = rows


def _measure(inputs: Mapping[str, Array]) -> Measure | None:
    """Return the shapes of rows and their number; None if the inputs differ in it, or have very many strings."""
    rows = -1
    shapes: list[object] = []
    for value in inputs.values():
        shape = value.shape
        if not shape or (rows >= 0 and shape[0] != rows):
            return None
        rows = shape[0]
        shapes.append(shape[1:])
        if value.dtype.kind == "O":
            if value.size > _MOST_STRINGS:
                return None
            shapes.append(sum(map(len, value.ravel().tolist())).bit_length())
    return (tuple(shapes), rows) if rows >= 0 else None


def expired() -> ServingError:
    """Return the error for an expired deadline."""
    return ServingError(Code.DEADLINE_EXCEEDED, "the deadline passed before the model answered")
