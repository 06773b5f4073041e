"""Runs a model's calls, on the event loop or in a thread.

A call of a millisecond or less runs on the event loop itself: handing it to a thread would cost more than the call,
and requests that arrive meanwhile simply queue. A longer one runs in a thread, so that the loop stays responsive.
The duration is measured. Wall time includes waits for the GIL and for a core, which under load are longer than a
small model's run: they are subtracted, or a model once moved to the threads would never return to the loop.
"""

import asyncio
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from serving.errors import Code, ServingError

Result = TypeVar("Result")

INLINE_SECONDS = 0.001
_MEASURED_FIRST = 3
_WEIGHT = 0.1
_LOCK_WAITS = 4


class Executor:
    """Runs the calls of one signature of one version."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._mean = 0.0
        self._calls = 0

    async def run(self, call: Callable[[], Result], deadline: float | None = None) -> Result:
        """Run a call and return its result.

        Args:
            call: what to run.
            deadline: on the monotonic clock. When it passes, a running call continues but its result is discarded;
                a call still waiting for a thread is never started, nor is one whose caller was cancelled.

        Raises:
            ServingError: the deadline has passed (DEADLINE_EXCEEDED).
        """
        if deadline is not None and time.monotonic() > deadline:
            raise expired()
        if self._calls >= _MEASURED_FIRST and self._mean <= INLINE_SECONDS:
            return self._timed(call)
        future = asyncio.get_running_loop().run_in_executor(self._pool, self._timed, call)
        if deadline is None:
            return await future
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                return await future
        except TimeoutError:
            raise expired() from None

    def _timed(self, call: Callable[[], Result]) -> Result:
        started, busy = time.perf_counter(), time.thread_time()
        try:
            return call()
        finally:
            # At least the thread's own CPU time; the work of TensorFlow's threads shows only in the wall time.
            waits = _LOCK_WAITS * sys.getswitchinterval()
            took = max(time.perf_counter() - started - waits, time.thread_time() - busy)
            self._calls += 1
            # The very first call includes creating the callable and is not typical.
            if self._calls > 1:
                self._mean += (took - self._mean) * (_WEIGHT if self._mean else 1)


def expired() -> ServingError:
    """Return the error for an expired deadline."""
    return ServingError(Code.DEADLINE_EXCEEDED, "the deadline passed before the model answered")
