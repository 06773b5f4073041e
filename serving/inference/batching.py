"""Combines requests into batches, with TensorFlow Serving's parameters.

With the default timeout of 0, no request waits for others: a batch is what was queued while the previous one ran.
Requests are combined if they are for the same signature and outputs, and their rows have the same shape (or are
padded to it). They share a run and nothing else: if it fails, each of them is run by itself, so that only the guilty
one fails, with its own text. A request without rows runs alone.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from serving.errors import Code, ServingError, invalid
from serving.inference.batching_options import BatchingOptions
from serving.inference.executor import expired
from serving.messages.dtypes import Array
from serving.ops.metrics import Metrics

Run = Callable[[Mapping[str, Array], Sequence[str]], Awaitable[dict[str, Array]]]


@dataclass(eq=False, slots=True)
class _Task:
    inputs: Mapping[str, Array]
    rows: int
    shapes: tuple[object, ...]  # in the order of the aliases: must be equal for two requests to be combined
    wanted: Sequence[str]
    deadline: float | None
    future: "asyncio.Future[dict[str, Array]]"
    queued: float


class Batcher:
    """Batches the calls of one signature of one version. Used on the event loop only."""

    def __init__(self, options: BatchingOptions, run: Run, metrics: Metrics) -> None:
        self._options = options
        self._run = run
        self._metrics = metrics
        self._queue: deque[_Task] = deque()
        self._rows = 0
        self._running = 0
        self._timer: asyncio.Handle | None = None
        self._batches: set[asyncio.Task[None]] = set()

    async def submit(
        self, inputs: Mapping[str, Array], wanted: Sequence[str], deadline: float | None = None
    ) -> dict[str, Array]:
        """Return the outputs for these inputs, computed together with other waiting requests.

        Raises:
            ServingError: the queue is full (UNAVAILABLE), the inputs have no common first dimension or more rows than
                a batch may have (INVALID_ARGUMENT), or the deadline passes (DEADLINE_EXCEEDED).
        """
        rows = _rows(inputs)
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
            done = await asyncio.gather(*(self._enqueue(p, _rows(p), wanted, deadline) for p in parts))
            return {alias: np.concatenate([part[alias] for part in done]) for alias in wanted}
        return await self._enqueue(inputs, rows, wanted, deadline)

    def _enqueue(
        self, inputs: Mapping[str, Array], rows: int, wanted: Sequence[str], deadline: float | None
    ) -> "asyncio.Future[dict[str, Array]]":
        task = _Task(
            inputs,
            rows,
            _shapes(inputs, padded=self._options.pad_variable_length_inputs),
            wanted,
            deadline,
            asyncio.get_running_loop().create_future(),
            time.monotonic(),
        )
        self._queue.append(task)
        self._rows += rows
        self._schedule()
        return task.future

    def _schedule(self) -> None:
        """Schedule the next flush: at once if a batch is full, otherwise when the oldest request times out."""
        if not self._queue or self._running >= self._options.num_batch_threads:
            return
        loop = asyncio.get_running_loop()
        full = self._rows >= self._options.largest_run
        wait = self._queue[0].queued + self._options.batch_timeout_micros / 1e6 - time.monotonic()
        if self._timer is not None:
            if not full:
                return
            self._timer.cancel()
        # Even without a timeout, in the loop's next iteration: requests of the current one can still join.
        self._timer = loop.call_soon(self._flush) if full or wait <= 0 else loop.call_later(wait, self._flush)

    def _flush(self) -> None:
        self._timer = None
        while self._queue and self._running < self._options.num_batch_threads:
            batch = self._take()
            if batch:
                self._running += 1
                task = asyncio.ensure_future(self._execute(batch))
                self._batches.add(task)
                task.add_done_callback(self._batches.discard)
            if self._options.batch_timeout_micros and self._rows < self._options.largest_run:
                break
        self._schedule()

    def _take(self) -> list[_Task]:
        """Dequeue the next batch: the oldest request, and those behind it that fit. Cancelled ones are dropped."""
        batch: list[_Task] = []
        kept: list[_Task] = []
        rows = 0
        now = time.monotonic()
        while self._queue:
            task = self._queue.popleft()
            if task.future.done():  # the client disconnected
                self._rows -= task.rows
            elif task.deadline is not None and now > task.deadline:
                self._rows -= task.rows
                task.future.set_exception(expired())
            elif batch and (task.shapes != batch[0].shapes or task.wanted != batch[0].wanted):
                kept.append(task)
            elif batch and rows + task.rows > self._options.largest_run:
                kept.append(task)
                break
            else:
                batch.append(task)
                rows += task.rows
        self._queue.extendleft(reversed(kept))
        self._rows -= rows
        return batch

    async def _execute(self, batch: list[_Task]) -> None:
        now = time.monotonic()
        for task in batch:
            self._metrics.queuing_latency.observe((now - task.queued) * 1e6)
        try:
            for task, outputs in zip(batch, await self._run_batch(batch), strict=True):
                if not task.future.done():
                    task.future.set_result(outputs)
        except Exception as error:
            if len(batch) > 1:
                await self._run_singly(batch)
            elif not batch[0].future.done():
                batch[0].future.set_exception(error)
        finally:
            self._running -= 1
            self._schedule()

    async def _run_singly(self, batch: list[_Task]) -> None:
        """Run the requests of a batch that failed, one after the other; who has left or is too late is passed over."""
        for task in batch:
            if task.future.done():
                continue
            try:
                if task.deadline is not None and time.monotonic() > task.deadline:
                    raise expired()
                (outputs,) = await self._run_batch([task])
            except Exception as error:
                if not task.future.done():
                    task.future.set_exception(error)
            else:
                if not task.future.done():
                    task.future.set_result(outputs)

    async def _run_batch(self, batch: list[_Task]) -> list[dict[str, Array]]:
        wanted = batch[0].wanted
        rows = sum(task.rows for task in batch)
        size = next((size for size in self._options.allowed_batch_sizes if size >= rows), rows)
        self._metrics.batches.add()
        self._metrics.batch_sizes.observe(size)
        joined = {
            alias: _join([task.inputs[alias] for task in batch], size - rows) for alias in batch[0].inputs
        }
        outputs = await self._run(joined, wanted)
        if len(batch) == 1 and size == rows:
            return [outputs]
        for alias, value in outputs.items():
            if value.ndim == 0 or value.shape[0] != size:
                raise ServingError(
                    Code.FAILED_PRECONDITION,
                    f"Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes "
                    f"of the input tensors: output '{alias}' has the shape {list(value.shape)} for a batch of "
                    f"{size}; this model cannot be batched",
                )
        ends = np.cumsum([task.rows for task in batch])
        return [
            {alias: value[end - task.rows : end] for alias, value in outputs.items()}
            for task, end in zip(batch, ends, strict=True)
        ]


def _rows(inputs: Mapping[str, Array]) -> int:
    """Return the first dimension, which must be the same for all inputs."""
    sizes = {value.shape[0] if value.ndim else -1 for value in inputs.values()}
    if -1 in sizes:
        raise invalid("Batching session Run() input tensors must have at least one dimension")
    if len(sizes) != 1:
        raise invalid("Batching session Run() input tensors must have equal 0th-dimension size")
    return sizes.pop()


def _shapes(inputs: Mapping[str, Array], *, padded: bool) -> tuple[object, ...]:
    """Return what must be equal to combine two requests: each input's row shape, or only its rank if `padded`."""
    if len(inputs) > 1:
        inputs = dict(sorted(inputs.items()))
    return tuple([(alias, value.ndim if padded else value.shape[1:]) for alias, value in inputs.items()])


def _join(parts: list[Array], padding: int) -> Array:
    """Concatenate all rows: ragged ones are padded to the longest, and padding rows are copies of the first."""
    if len({part.shape[1:] for part in parts}) > 1:
        longest = np.max([part.shape[1:] for part in parts], axis=0)
        parts = [_pad(part, longest) for part in parts]
    if padding:
        parts = [*parts, np.repeat(parts[0][:1], padding, axis=0)]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _pad(part: Array, shape: Array) -> Array:
    """Pad the end of each dimension with the tensor's first value, as TensorFlow Serving does."""
    widths = [(0, 0), *((0, int(want - have)) for want, have in zip(shape, part.shape[1:], strict=True))]
    first = part.flat[0] if part.size else (b"" if part.dtype == object else 0)
    return np.pad(part, widths, constant_values=first)
