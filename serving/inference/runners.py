"""The executor of each signature of each version, and its batcher if batching is on."""

import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from weakref import WeakKeyDictionary

from serving.engine.base import Engine
from serving.errors import Code, ServingError, from_engine
from serving.inference.batching import Batcher
from serving.inference.batching_options import MOST_JOINED_ROWS, NATURAL, BatchingOptions
from serving.inference.executor import Executor
from serving.manager.state import Version
from serving.messages.dtypes import Array
from serving.ops.metrics import Metrics


class Runner:
    """The executor and the batcher of a version's signature, or of several that run together.

    Args:
        executor: runs calls.
        batcher: joins calls; None if they are not joined.
        most_joined: the rows of the largest call that is joined; None if all are.
    """

    __slots__ = ("_batcher", "_most_joined", "executor")

    def __init__(
        self, executor: Executor, batcher: Batcher | None = None, most_joined: int | None = None
    ) -> None:
        self.executor = executor
        self._batcher = batcher
        self._most_joined = most_joined

    def batcher_for(self, inputs: Mapping[str, Array]) -> Batcher | None:
        """Return the batcher if a call with these inputs is to be joined with others."""
        if self._batcher is not None and self._most_joined is not None:
            rows = {value.shape[0] if value.ndim else 0 for value in inputs.values()}
            if len(rows) != 1 or not 0 < rows.pop() <= self._most_joined:
                return None
        return self._batcher


class Runners:
    """The runners of all versions; a version's runners are freed with it.

    Args:
        pool: the threads in which calls run.
        batching: returns the batching parameters of a version's signature; None if its requests are not joined.
        metrics: the metrics to update.
    """

    def __init__(
        self,
        pool: ThreadPoolExecutor,
        batching: Callable[[Version, str], BatchingOptions | None],
        metrics: Metrics,
    ) -> None:
        self._pool = pool
        self._batching = batching
        self._metrics = metrics
        self._runners: WeakKeyDictionary[Version, dict[tuple[str, ...], Runner]] = WeakKeyDictionary()

    def get(self, version: Version, signatures: tuple[str, ...]) -> Runner:
        """Return the runner of a version's signature; several that run together are never joined with other calls."""
        runners = self._runners.get(version)
        if runners is None:
            runners = self._runners[version] = {}
        runner = runners.get(signatures)
        if runner is None:
            runner = runners[signatures] = self._new(version, signatures)
        return runner

    def _new(self, version: Version, signatures: tuple[str, ...]) -> Runner:
        name = signatures[0]
        executor = Executor(self._pool, steady=engine_of(version).steady >= set(signatures))
        options = self._batching(version, name) if len(signatures) == 1 else None
        if options is None:
            return Runner(executor)
        # The runners last as long as the version's status, which is longer than the engine may last.
        held = weakref.ref(engine_of(version))

        async def run(feeds: Mapping[str, Array], wanted: Sequence[str]) -> dict[str, Array]:
            engine = held()
            if engine is None:  # everybody who asked has left
                raise ServingError(Code.UNAVAILABLE, "the version has been unloaded")
            return await executor.run(lambda: guarded(lambda: engine.run(name, feeds, wanted)), feeds)

        def run_now(feeds: Mapping[str, Array], wanted: Sequence[str]) -> dict[str, Array] | None:
            engine = held()
            if engine is None:
                return None
            return executor.run_if_quick(lambda: engine.run(name, feeds, wanted), feeds)

        batcher = Batcher(options, run, self._metrics, run_now)
        return Runner(executor, batcher, MOST_JOINED_ROWS if options is NATURAL else None)


def engine_of(version: Version) -> Engine:
    """Return the engine of an acquired version."""
    assert version.engine is not None, "a version in use has an engine"
    return version.engine


def guarded(call: Callable[[], Any]) -> Any:
    """Run an engine; its errors are converted to ServingError."""
    try:
        return call()
    except ServingError:
        raise
    except Exception as error:
        raise from_engine(error) from error
