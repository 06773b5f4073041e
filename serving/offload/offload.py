"""Runs what would hold the event loop for long: in worker processes, or in threads.

A thread is no help where one call into C holds the interpreter's lock until it is done, as all parsers do: 30 MB of
JSON numbers would stop everything for more than a second. A process also can be ended when a deadline passes, and
its memory is its own.
"""

import asyncio
import pickle
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from serving.errors import Code, ServingError
from serving.offload.child import Child

Result = TypeVar("Result")

_IDLE_SECONDS = 60.0
_MANY = 1 << 14


class Offload:
    """Worker processes, started when there is something to do and ended after a minute without, and threads.

    Args:
        most: how many processes, and how many threads, work at the same time.
    """

    def __init__(self, most: int) -> None:
        self._slots = asyncio.Semaphore(most)
        self._idle: list[Child] = []
        self._workers: set[Child] = set()
        # A thread for each process, which reads and writes its pipes: the event loop would copy all of it.
        self._callers = ThreadPoolExecutor(most, thread_name_prefix="offload-call")
        self._threads = ThreadPoolExecutor(most, thread_name_prefix="offload")

    async def run(
        self,
        function: Callable[..., Result],
        data: bytes | list[bytes],
        *arguments: Any,
        deadline: float | None = None,
    ) -> Result:
        """Return `function(data, *arguments)`, called in another process; it is found there by its name.

        Args:
            function: a function of a module.
            data: what it is for, in one piece or several; the function gets one.
            arguments: anything that can be pickled.
            deadline: on the monotonic clock.

        Raises:
            ServingError: as raised by the function; or the deadline has passed (DEADLINE_EXCEEDED), or the process died
                of it (RESOURCE_EXHAUSTED).
        """
        loop = asyncio.get_running_loop()
        tensors: list[pickle.PickleBuffer] = []
        call = pickle.dumps((function, arguments), 5, buffer_callback=tensors.append)
        parts = [data] if isinstance(data, bytes) else data
        try:
            async with (
                asyncio.timeout(None if deadline is None else deadline - time.monotonic()),
                self._slots,
            ):
                worker = self._lend()
                try:
                    code, result = await loop.run_in_executor(
                        self._callers, worker.call, call, parts, tensors
                    )
                except BaseException:
                    self._end(worker)  # in the middle of a job, or dead
                    raise
                self._return(worker)
        except TimeoutError:
            raise ServingError(
                Code.DEADLINE_EXCEEDED, "the deadline passed before the request was read"
            ) from None
        if code is not None:
            raise ServingError(code, result)
        value: Result = result
        return value

    async def by_size(self, size: int, function: Callable[..., Result], *arguments: Any) -> Result:
        """Return `function(*arguments)`, called in a thread if it is for so many values that it would take long.

        It gives way to others between its steps, if no single one of them takes long.
        """
        if size <= _MANY:
            return function(*arguments)
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    async def close(self) -> None:
        """End the processes; threads are not waited for."""
        for worker in list(self._workers):
            self._end(worker)
        self._callers.shutdown(wait=False, cancel_futures=True)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _lend(self) -> Child:
        worker = self._idle.pop() if self._idle else Child()
        if worker.timer:
            worker.timer.cancel()
        self._workers.add(worker)
        return worker

    def _return(self, worker: Child) -> None:
        if worker.retires:
            self._end(worker)
        elif worker in self._workers:
            self._idle.append(worker)
            worker.timer = asyncio.get_running_loop().call_later(_IDLE_SECONDS, self._end, worker)

    def _end(self, worker: Child) -> None:
        self._workers.discard(worker)
        if worker in self._idle:
            self._idle.remove(worker)
        if worker.timer:
            worker.timer.cancel()
        worker.kill()
