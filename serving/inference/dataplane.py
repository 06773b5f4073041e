"""Handles requests, independent of the protocol: REST and gRPC are thin layers over this.

A call acquires a version from the model manager, checks the inputs against the signature, and runs the model, through
a batcher if batching is on. It is one file because the four kinds of calls share these steps.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from serving.engine.signature import CLASSIFY_METHOD, DEFAULT_SIGNATURE, REGRESS_METHOD, Signature
from serving.errors import Code, ServingError, invalid
from serving.inference import examples as ex
from serving.inference.batching_options import BatchingOptions
from serving.inference.checks import check_inputs, check_outputs
from serving.inference.runners import Runners, engine_of, guarded
from serving.manager.manager import ModelManager
from serving.manager.state import Status, Version
from serving.messages.calls import Classifications, Regressions
from serving.messages.dtypes import Array
from serving.offload.offload import Offload
from serving.ops.limits import Limits
from serving.ops.metrics import Metrics
from serving.process import give_way

#: What stands in the metrics for every model that is not served; no model can be called so.
UNKNOWN_MODEL = "(not served)"


@dataclass(frozen=True)
class ModelRef:
    """The version that a request asks for: a model's latest, a specific one, or the one with a label."""

    name: str
    version: int | None = None
    label: str | None = None


class _Held:
    """A context manager that releases an acquired version at the end."""

    __slots__ = ("_manager", "_version")

    def __init__(self, manager: ModelManager, version: Version) -> None:
        self._manager = manager
        self._version = version

    def __enter__(self) -> Version:
        return self._version

    def __exit__(self, *_: object) -> None:
        self._manager.release(self._version)


class DataPlane:
    """Answers requests. Used on the event loop.

    Args:
        manager: the models.
        batching: returns the batching parameters of a version's signature; None if its requests are not joined.
        metrics: the metrics to update.
        limits: the limits of a request.
        check_methods: whether Classify and Regress require the signature's method name.
        threads: how many calls may run in parallel; 0 for one per CPU.
    """

    def __init__(
        self,
        manager: ModelManager,
        batching: Callable[[Version, str], BatchingOptions | None],
        metrics: Metrics,
        limits: Limits,
        *,
        check_methods: bool = False,
        threads: int = 0,
    ) -> None:
        self.manager = manager
        self.metrics = metrics
        self.limits = limits
        self._check_methods = check_methods
        parallel = threads or os.cpu_count() or 1
        self.offload = Offload(parallel)
        self._pool = ThreadPoolExecutor(parallel, thread_name_prefix="model-run", initializer=give_way)
        self._runners = Runners(self._pool, batching, metrics)

    def version(self, ref: ModelRef) -> AbstractContextManager[Version]:
        """Acquire the version that a request is for; it stays loaded while the context is open.

        Raises:
            ServingError: the version is not available (NOT_FOUND), or the model name is empty or the label unknown
                (INVALID_ARGUMENT).
        """
        if not ref.name:
            raise invalid("ModelSpec has no name specified.")
        return _Held(self.manager, self.manager.acquire(ref.name, ref.version, ref.label))

    def signature(self, version: Version, name: str) -> Signature:
        """Return a signature of an acquired version.

        Raises:
            ServingError: there is none of this name (FAILED_PRECONDITION).
        """
        signature = engine_of(version).signatures.get(name)
        if signature is None:
            raise ServingError(Code.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')
        return signature

    async def predict(
        self,
        version: Version,
        signature_name: str,
        inputs: Mapping[str, Array],
        output_filter: Sequence[str] = (),
        deadline: float | None = None,
    ) -> dict[str, Array]:
        """Return the outputs of a signature.

        Args:
            version: acquired by `version`.
            signature_name: the default one if empty.
            inputs: tensors by alias.
            output_filter: the outputs to compute; all if empty.
            deadline: on the monotonic clock.

        Raises:
            ServingError: the request is invalid, or the model fails; with TensorFlow Serving's code.
        """
        name = signature_name or DEFAULT_SIGNATURE
        signature = self.signature(version, name)
        feeds = check_inputs(signature, inputs)
        self.limits.check_tensors(feeds)
        wanted = check_outputs(signature, output_filter)
        return await self._run(version, name, "Predict", feeds, wanted, deadline)

    async def classify(
        self, version: Version, signature_name: str, tensor: Array, deadline: float | None = None
    ) -> Classifications:
        """Return classes and scores of serialized tf.Examples."""
        name, signature = self._example_signature(version, signature_name)
        if self._check_methods:
            ex.check_method(signature, CLASSIFY_METHOD, "classification")
        wanted = ex.classify_outputs(signature)
        self._count_examples(version, tensor)
        outputs = await self._run(version, name, "Classify", {ex.INPUTS: tensor}, wanted, deadline)
        return await self.offload.by_size(len(tensor), ex.classifications, outputs, len(tensor))

    async def regress(
        self, version: Version, signature_name: str, tensor: Array, deadline: float | None = None
    ) -> Regressions:
        """Return a value for each of the serialized tf.Examples."""
        name, signature = self._example_signature(version, signature_name)
        if self._check_methods:
            ex.check_method(signature, REGRESS_METHOD, "regression")
        wanted = ex.regress_outputs(signature)
        self._count_examples(version, tensor)
        outputs = await self._run(version, name, "Regress", {ex.INPUTS: tensor}, wanted, deadline)
        return await self.offload.by_size(len(tensor), ex.regressions, outputs, len(tensor))

    async def multi_inference(
        self, version: Version, tasks: Sequence[tuple[str, str]], tensor: Array, deadline: float | None = None
    ) -> list[Classifications | Regressions]:
        """Run several signatures on the same examples, in one run of the graph.

        Args:
            version: acquired by `version`.
            tasks: the signature name and method name of each.
            tensor: serialized tf.Examples.
            deadline: on the monotonic clock.
        """
        engine = engine_of(version)
        names = [signature_name or DEFAULT_SIGNATURE for signature_name, _ in tasks]
        chosen: list[tuple[Signature, list[str]]] = []
        for position, (name, (_, method)) in enumerate(zip(names, tasks, strict=True)):
            if name in names[:position]:
                raise invalid(f"Duplicate evaluation of signature: {name}")
            if name not in engine.signatures:
                raise invalid(f"Requested signature not found in model graph: {name}")
            if method not in (CLASSIFY_METHOD, REGRESS_METHOD):
                raise ServingError(Code.UNIMPLEMENTED, f"Unsupported signature method_name: {method}")
            signature = engine.signatures[name]
            chosen.append((signature, ex.outputs_for(signature, method)))
        feeds = dict.fromkeys((signature.inputs[ex.INPUTS].tensor_name for signature, _ in chosen), tensor)
        fetches = list(
            dict.fromkeys(
                signature.outputs[alias].tensor_name for signature, wanted in chosen for alias in wanted
            )
        )
        runner = self._runners.get(version, tuple(names))
        values = await runner.executor.run(
            lambda: guarded(lambda: engine.run_tensors(list(feeds.items()), fetches)), feeds, deadline
        )
        got = dict(zip(fetches, values, strict=True))
        self._count_examples(version, tensor)
        results: list[Classifications | Regressions] = []
        for (signature, wanted), (_, method) in zip(chosen, tasks, strict=True):
            outputs = {alias: got[signature.outputs[alias].tensor_name] for alias in wanted}
            read: Callable[..., Any] = ex.classifications if method == CLASSIFY_METHOD else ex.regressions
            results.append(await self.offload.by_size(len(tensor), read, outputs, len(tensor)))
        return results

    def count_request(self, model: str, code: Code) -> None:
        """Count a request by its outcome; models that there are not share a label, or clients could make any number."""
        known = not model or self.manager.knows(model)
        self.metrics.request_count.add(model if known else UNKNOWN_MODEL, code.name)

    def statuses(self, ref: ModelRef) -> list[Status]:
        """Return the states of a model's versions, or of the requested one.

        Raises:
            ServingError: there is no such model or version (NOT_FOUND).
        """
        statuses = self.manager.status(ref.name)
        if ref.version is not None:
            statuses = [status for status in statuses if status.version == ref.version]
            if not statuses:
                raise ServingError(
                    Code.NOT_FOUND, f"Could not find version {ref.version} of model {ref.name}"
                )
        if not statuses:
            raise ServingError(Code.NOT_FOUND, f"Could not find any versions of model {ref.name}")
        return statuses

    async def close(self) -> None:
        """End the processes; threads end with the server."""
        await self.offload.close()

    async def _run(
        self,
        version: Version,
        name: str,
        api: str,
        feeds: Mapping[str, Array],
        wanted: Sequence[str],
        deadline: float | None,
    ) -> dict[str, Array]:
        runner = self._runners.get(version, (name,))
        started = time.perf_counter()
        batcher = runner.batcher_for(feeds)
        if batcher is not None:
            outputs = await batcher.submit(feeds, wanted, deadline)
        else:
            engine = engine_of(version)
            outputs = await runner.executor.run(
                lambda: guarded(lambda: engine.run(name, feeds, wanted)), feeds, deadline
            )
        self.metrics.runtime_latency.observe((time.perf_counter() - started) * 1e6, version.model, api, "TF1")
        return outputs

    def _example_signature(self, version: Version, signature_name: str) -> tuple[str, Signature]:
        name = signature_name or DEFAULT_SIGNATURE
        signature = engine_of(version).signatures.get(name)
        if signature is None:
            raise invalid(f"No signature was found with the name: {name}")
        return name, signature

    def _count_examples(self, version: Version, tensor: Array) -> None:
        self.limits.check_tensors({ex.INPUTS: tensor})
        self.metrics.example_counts.observe(len(tensor), version.model)
        self.metrics.example_count_total.add(version.model, by=len(tensor))
