"""The executor of each signature of each version, and its batcher if batching is on."""

import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from weakref import WeakKeyDictionary

from serving.engine.base import Engine
from serving.errors import Code, ServingError, from_engine
from serving.inference.batching import Batcher
from serving.inference.batching_options import BatchingOptions
from serving.inference.executor import Executor
from serving.manager.state import Version
from serving.messages.dtypes import Array
from serving.ops.metrics import Metrics


class Runner:
    """The executor and the batcher of a version's signature, or of several that run together."""

    __slots__ = ("batcher", "executor")

    def __init__(self, executor: Executor, batcher: Batcher | None) -> None:
        self.executor = executor
        self.batcher = batcher


class Runners:
    """The runners of all versions; a version's runners are freed with it."""

    def __init__(
        self,
        pool: ThreadPoolExecutor,
        batching: Callable[[Version], BatchingOptions | None],
        metrics: Metrics,
    ) -> None:
        self._pool = pool
        self._batching = batching
        self._metrics = metrics
        self._runners: WeakKeyDictionary[Version, dict[tuple[str, ...], Runner]] = WeakKeyDictionary()

    def get(self, version: Version, signatures: tuple[str, ...], batched: str | None = None) -> Runner:
        """Return the runner of a version's signatures; `batched` is the signature whose requests may be batched."""
        runners = self._runners.get(version)
        if runners is None:
            runners = self._runners[version] = {}
        runner = runners.get(signatures)
        if runner is None:
            runner = runners[signatures] = self._new(version, batched)
        return runner

    def _new(self, version: Version, batched: str | None) -> Runner:
        executor = Executor(self._pool)
        options = self._batching(version) if batched is not None else None
        if options is None or batched is None:
            return Runner(executor, None)
        # The runners last as long as the version's status, which is longer than the engine may last.
        held, name = weakref.ref(engine_of(version)), batched

        async def run(feeds: Mapping[str, Array], wanted: Sequence[str]) -> dict[str, Array]:
            engine = held()
            if engine is None:  # everybody who asked has left
                raise ServingError(Code.UNAVAILABLE, "the version has been unloaded")
            return await executor.run(lambda: guarded(lambda: engine.run(name, feeds, wanted)))

        return Runner(executor, Batcher(options, run, self._metrics))


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
