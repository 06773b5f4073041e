"""Runs what would hold the event loop for long: in worker processes, or in threads.

A thread is no help where one call into C holds the interpreter's lock until it is done, as all parsers do: 30 MB of
JSON numbers would stop everything for more than a second. A process also can be ended when a deadline passes, and
its memory is its own.
"""

import asyncio
import contextlib
import pickle
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from serving.errors import Code, ServingError
from serving.offload.child import Child, start
from serving.offload.worker import LENGTH
from serving.process import environment, python_module

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
        self._idle: list[_Worker] = []
        self._threads = ThreadPoolExecutor(most, thread_name_prefix="offload")
        self._closed = False
        self._workers: set[_Worker] = set()
        self._ending: set[asyncio.Task[None]] = set()

    async def run(
        self, function: Callable[..., Result], data: bytes, *arguments: Any, deadline: float | None = None
    ) -> Result:
        """Return `function(data, *arguments)`, called in another process; it is found there by its name.

        Args:
            function: a function of a module.
            data: what it is for; handed over without a copy in between.
            arguments: anything that can be pickled.
            deadline: on the monotonic clock.

        Raises:
            ServingError: as raised by the function; or the deadline has passed (DEADLINE_EXCEEDED), or the process died
                of it (RESOURCE_EXHAUSTED).
        """
        try:
            async with asyncio.timeout(None if deadline is None else deadline - time.monotonic()):
                async with self._slots, self._worker() as worker:
                    code, result = await worker.call(pickle.dumps((function, arguments)), data)
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
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in list(self._workers):
            self._end(worker)
        self._idle.clear()
        if self._ending:
            await asyncio.wait(self._ending)

    @contextlib.asynccontextmanager
    async def _worker(self) -> "AsyncIterator[_Worker]":
        """Lend a worker; one that was left in the middle of a job, or has died, is not used again."""
        worker = self._idle.pop() if self._idle else await _start()
        self._workers.add(worker)
        worker.lent()
        try:
            yield worker
        except BaseException:
            self._end(worker)
            raise
        if worker.retires or self._closed:
            self._end(worker)
        else:
            self._idle.append(worker)
            worker.returned(self._retire)

    def _retire(self, worker: "_Worker") -> None:
        if worker in self._idle:
            self._idle.remove(worker)
            self._end(worker)

    def _end(self, worker: "_Worker") -> None:
        if worker not in self._workers:
            return
        self._workers.remove(worker)
        task = asyncio.ensure_future(worker.end())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


class _Worker:
    """One process.

    Attributes:
        retires: whether it has ended itself after its last answer.
    """

    def __init__(self, child: Child) -> None:
        self._child = child
        self._timer: asyncio.TimerHandle | None = None
        self.retires = False

    async def call(self, call: bytes, data: bytes) -> tuple[Code | None, Any]:
        source, sink = self._child.stdout, self._child.stdin
        try:
            sink.write(LENGTH.pack(len(call), len(data)) + call)
            sink.write(data)
            await sink.drain()
            size, self.retires = LENGTH.unpack(await source.readexactly(LENGTH.size))
            outcome: tuple[Code | None, Any] = pickle.loads(await source.readexactly(size))
        except (OSError, asyncio.IncompleteReadError):
            raise ServingError(
                Code.RESOURCE_EXHAUSTED, "the process that read the request has died of it"
            ) from None
        return outcome

    def lent(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def returned(self, retire: "Callable[[_Worker], None]") -> None:
        self._timer = asyncio.get_running_loop().call_later(_IDLE_SECONDS, retire, self)

    async def end(self) -> None:
        """Kill the process, and wait until nothing of it is left."""
        self.lent()
        await self._child.kill()
        await asyncio.sleep(0)  # its pipes are closed in the loop's next turn


async def _start() -> _Worker:
    command = python_module("serving.offload.worker")
    return _Worker(await start(command, environment(OPENBLAS_NUM_THREADS="1"), limit=1 << 20))
