"""Combines requests into batches, with TensorFlow Serving's parameters.

With the default timeout of 0, no request waits for others: a batch is what was queued while the previous one ran.
Requests are combined if they are for the same signature and outputs, and their rows have the same shape (or are
padded to it). They share a run and nothing else: if it fails, each of them is run by itself, so that only the guilty
one fails, with its own text; and each has its own deadline. A request without rows runs alone.

A request that comes while nothing runs and nobody else has come since the event loop last looked is run at once:
one client alone pays nothing for batching.

It is one file because the queue, its timer and the running batches are one state.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import chain

import numpy as np

from serving.errors import Code, ServingError, invalid
from serving.inference.batching_options import BatchingOptions
from serving.inference.executor import expired
from serving.inference.joining import Joined, join, rows_of, shapes_of, split
from serving.inference.waiting import Alarm, Waiting
from serving.messages.dtypes import Array
from serving.ops.metrics import Metrics

Run = Callable[[Mapping[str, Array], Sequence[str]], Awaitable[dict[str, Array]]]
RunNow = Callable[[Mapping[str, Array], Sequence[str]], dict[str, Array] | None]


def _never_now(inputs: Mapping[str, Array], wanted: Sequence[str]) -> None:
    del inputs, wanted


class Batcher:
    """Batches the calls of one signature of one version. Used on the event loop only.

    Args:
        options: the parameters.
        run: runs a batch.
        metrics: the metrics to update.
        run_now: runs a batch that is certain to be quick, on the event loop; returns None for any other.
    """

    def __init__(
        self, options: BatchingOptions, run: Run, metrics: Metrics, run_now: RunNow = _never_now
    ) -> None:
        self._loop = asyncio.get_running_loop()  # kept, as asking for it costs a system call
        self._options = options
        self._run = run
        self._run_now = run_now
        self._metrics = metrics
        self._queue: deque[Waiting] = deque()
        self._rows = 0
        self._running: dict[asyncio.Task[None], list[Waiting]] = {}
        self._timer: asyncio.Handle | None = None
        self._alarm = Alarm(lambda: chain(*self._running.values(), self._queue))
        self._company = False  # whether the last batch had several requests, or two came at once
        self._alone: asyncio.Handle | None = None
        self._is_long = False  # whether the last batch went to a thread

    async def submit(
        self, inputs: Mapping[str, Array], wanted: Sequence[str], deadline: float | None = None
    ) -> dict[str, Array]:
        """Return the outputs for these inputs, computed together with other waiting requests.

        Raises:
            ServingError: the queue is full (UNAVAILABLE), the inputs have no common first dimension or more rows than
                a batch may have (INVALID_ARGUMENT), or the deadline passes (DEADLINE_EXCEEDED).
        """
        rows = rows_of(inputs)
        if rows == 0:
            return await self._run(inputs, wanted)
        options = self._options
        if rows > options.max_batch_size and not options.enable_large_batch_splitting:
            raise invalid(
                f"Task size {rows} is larger than maximum input batch size {options.max_batch_size}; "
                "send fewer rows, or raise max_batch_size"
            )
        if self._rows + rows > options.max_enqueued_batches * options.max_batch_size:
            raise ServingError(
                Code.UNAVAILABLE, "The batch scheduling queue to which this task was submitted is full"
            )
        largest = options.largest_run
        if rows > largest:
            parts = [
                {alias: value[i : i + largest] for alias, value in inputs.items()}
                for i in range(0, rows, largest)
            ]
            done = await asyncio.gather(*(self._enqueue(p, rows_of(p), wanted, deadline) for p in parts))
            return {alias: np.concatenate([part[alias] for part in done]) for alias in wanted}
        if self._is_alone() and (outputs := self._run_now(inputs, wanted)) is not None:
            self._count(rows)
            return outputs
        return await self._enqueue(inputs, rows, wanted, deadline)

    def _is_alone(self) -> bool:
        """Return whether nobody else is there: nothing is queued, and no other came in this turn of the loop."""
        if (
            self._company
            or self._queue
            or self._options.batch_timeout_micros
            or self._options.allowed_batch_sizes
        ):
            return False
        if self._alone is not None:
            self._company = True
            return False
        self._alone = self._loop.call_soon(self._turned)
        return True

    def _turned(self) -> None:
        self._alone = None

    def _enqueue(
        self, inputs: Mapping[str, Array], rows: int, wanted: Sequence[str], deadline: float | None
    ) -> "asyncio.Future[dict[str, Array]]":
        shapes = shapes_of(inputs, padded=self._options.pad_variable_length_inputs)
        task = Waiting(inputs, rows, shapes, wanted, deadline, self._loop.create_future())
        self._queue.append(task)
        self._rows += rows
        if self._running:
            self._alarm.watch([task])
        self._schedule()
        return task.future

    def _schedule(self) -> None:
        """Schedule the next flush: at once if a batch is full, otherwise when the oldest request times out."""
        if not self._queue or len(self._running) >= self._options.num_batch_threads:
            return
        full = self._rows >= self._options.largest_run
        wait = self._queue[0].queued + self._options.batch_timeout_micros / 1e6 - time.monotonic()
        if self._timer is not None:
            if not full:
                return
            self._timer.cancel()
        # Even without a timeout, in the loop's next iteration: requests of the current one can still join.
        if full or wait <= 0:
            self._timer = self._loop.call_soon(self._flush)
        else:
            self._timer = self._loop.call_later(wait, self._flush)

    def _flush(self) -> None:
        self._timer = None
        while self._queue and len(self._running) < self._options.num_batch_threads:
            free = self._options.num_batch_threads - len(self._running)
            most = self._options.largest_run
            if self._options.share and self._is_long:
                most = min(most, -(-self._rows // free))
            batch = self._take(most)
            if batch:
                self._begin(batch)
            if self._options.batch_timeout_micros and self._rows < self._options.largest_run:
                break
        self._schedule()

    def _begin(self, batch: list[Waiting]) -> None:
        """Answer a batch at once, or have it run in a thread."""
        try:
            joined = self._joined(batch)
        except Exception as error:  # such as no memory for all of them together
            work = self._apart(batch, error)
        else:
            self._is_long = not self._answer_now(batch, joined)
            if not self._is_long:
                return
            work = self._execute(batch, joined)
        task = self._loop.create_task(work)
        self._running[task] = batch
        task.add_done_callback(self._ended)
        self._alarm.watch(chain(batch, self._queue))

    def _ended(self, task: "asyncio.Task[None]") -> None:
        del self._running[task]
        self._schedule()

    def _take(self, most: int) -> list[Waiting]:
        """Dequeue the next batch, of so many rows: the oldest request, and those behind it that fit.

        Cancelled ones are dropped.
        """
        batch: list[Waiting] = []
        kept: list[Waiting] = []
        rows = 0
        now = time.monotonic()
        while self._queue:
            task = self._queue.popleft()
            if task.future.done():  # the client disconnected, or the deadline passed
                self._rows -= task.rows
            elif task.is_late(now):
                self._rows -= task.rows
                task.fail(expired())
            elif batch and (task.shapes != batch[0].shapes or task.wanted != batch[0].wanted):
                kept.append(task)
            elif batch and rows + task.rows > most:
                kept.append(task)
                break
            else:
                batch.append(task)
                rows += task.rows
        self._queue.extendleft(reversed(kept))
        self._rows -= rows
        self._company = len(batch) > 1
        for task in batch:
            self._metrics.queuing_latency.observe((now - task.queued) * 1e6)
        return batch

    def _answer_now(self, batch: list[Waiting], joined: Joined) -> bool:
        """Answer a batch that is certain to be quick; others, and those that fail, are left to a thread."""
        try:
            outputs = self._run_now(joined.inputs, batch[0].wanted)
            if outputs is None:
                return False
            parts = split(outputs, [task.rows for task in batch], joined.size)
        except Exception:
            return False
        self._count(joined.size)
        for task, part in zip(batch, parts, strict=True):
            task.answer(part)
        return True

    async def _execute(self, batch: list[Waiting], joined: Joined) -> None:
        try:
            for task, outputs in zip(batch, await self._run_batch(batch, joined), strict=True):
                task.answer(outputs)
        except Exception as error:
            await self._apart(batch, error)

    async def _apart(self, batch: list[Waiting], error: Exception) -> None:
        """Run the requests of a batch that failed one by one; who has left or is too late is passed over."""
        if len(batch) == 1:
            batch[0].fail(error)
            return
        for task in batch:
            if not task.future.done():
                await self._run_singly(task)

    async def _run_singly(self, task: Waiting) -> None:
        try:
            if task.is_late(time.monotonic()):
                raise expired()
            (outputs,) = await self._run_batch([task], self._joined([task]))
        except Exception as error:
            task.fail(error)
        else:
            task.answer(outputs)

    async def _run_batch(self, batch: list[Waiting], joined: Joined) -> list[dict[str, Array]]:
        self._count(joined.size)
        outputs = await self._run(joined.inputs, batch[0].wanted)
        return split(outputs, [task.rows for task in batch], joined.size)

    def _joined(self, batch: list[Waiting]) -> Joined:
        rows = sum(task.rows for task in batch)
        size = next((size for size in self._options.allowed_batch_sizes if size >= rows), rows)
        return Joined(join([task.inputs for task in batch], size - rows), size)

    def _count(self, size: int) -> None:
        self._metrics.batches.add()
        self._metrics.batch_sizes.observe(size)
