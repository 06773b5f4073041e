"""Where a model's call runs: right here, or in a thread.

A call of a millisecond or less is made on the event loop itself: handing it to a thread costs more than it takes,
and requests that come meanwhile simply queue. A longer one goes to a thread, so that the loop stays responsive.
Which it is, is measured. What passes includes waits, for the interpreter's lock and for a core, which under load are
longer than a small model's run: they are allowed for, or a model once sent to the threads would never come back.
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
        """The call's result.

        Args:
            call: what to run.
            deadline: on the monotonic clock; when it passes the caller is answered. A call that has begun then goes
                on, unheard; one that still waits for a thread is not made, and neither is one whose caller left.

        Raises:
            ServingError: DEADLINE_EXCEEDED.
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
            # Never less than the thread itself has worked; TensorFlow's own threads show only in what has passed.
            waits = _LOCK_WAITS * sys.getswitchinterval()
            took = max(time.perf_counter() - started - waits, time.thread_time() - busy)
            self._calls += 1
            # The first call of all includes making the callable and is not typical.
            if self._calls > 1:
                self._mean += (took - self._mean) * (_WEIGHT if self._mean else 1)


def expired() -> ServingError:
    """The answer when there is no time left."""
    return ServingError(Code.DEADLINE_EXCEEDED, "the deadline passed before the model had answered")
