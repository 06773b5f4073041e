"""Keeps the wanted versions loaded: polls, loads in the background, swaps without a gap, unloads.

One thread decides; a pool of threads loads; requests take a version with `acquire` and give it back with
`release`, and a version is freed only when nobody uses it any more.
It is a long module because all that changes under its one lock is kept in one place.
"""

import logging
import shutil
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from serving.errors import Code, ServingError
from serving.manager import labels, plan
from serving.manager.loader import Loaded, LoadOptions, as_serving_error, load
from serving.manager.model import Model
from serving.manager.poller import Found, Poller
from serving.manager.state import State, Status, Version
from serving.model_config import ModelConfig, validate
from serving.ops.metrics import Metrics
from serving.text_config import ConfigError

log = logging.getLogger("slipway.models")


@dataclass(frozen=True)
class ManagerOptions:
    """How the manager behaves; the defaults are TensorFlow Serving's.

    Attributes:
        load: how versions are loaded.
        poll_seconds: how often base paths are looked into; 0 for once, negative for never.
        max_retries: how often a failed load is tried again.
        retry_seconds: how long to wait before that.
        load_threads: how many versions may be loaded at once.
        preserve_availability: load the new version before the old one goes; else the old one goes first.
        allow_labels_for_unavailable: accept new labels for versions that are not available.
        metrics: where to count loads.
    """

    load: LoadOptions
    poll_seconds: float = 1.0
    max_retries: int = 5
    retry_seconds: float = 60.0
    load_threads: int = 4
    preserve_availability: bool = True
    allow_labels_for_unavailable: bool = False
    metrics: Metrics | None = None


class ModelManager:
    """The models being served. All methods may be called from any thread."""

    def __init__(self, options: ManagerOptions) -> None:
        self._options = options
        self._models: dict[str, Model] = {}
        self._labels: dict[str, dict[str, int]] = {}
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._woken = False
        self._poll_at = 0.0 if options.poll_seconds >= 0 else float("inf")
        self._stopping = False
        self._poller = Poller(self._found)
        self._pool = ThreadPoolExecutor(options.load_threads, thread_name_prefix="model-load")
        self._thread = threading.Thread(target=self._control, name="model-manager", daemon=True)
        self._thread.start()

    def acquire(self, name: str, version: int | None = None, label: str | None = None) -> Version:
        """The version that a request asks for, kept alive until `release`.

        Raises:
            ServingError: NOT_FOUND if it is not available; INVALID_ARGUMENT for an unknown label.
        """
        with self._lock:
            if label is not None:
                version = labels.resolve(self._labels, name, label)
            model = self._models.get(name)
            found = None
            if model is not None:
                found = model.latest if version is None else model.versions.get(version)
            if found is None or found.state is not State.AVAILABLE:
                asked = f"Latest({name})" if version is None else f"Specific({name}, {version})"
                raise ServingError(Code.NOT_FOUND, f"Servable not found for request: {asked}")
            found.users += 1
            return found

    def release(self, version: Version) -> None:
        """Gives a version back."""
        with self._lock:
            version.users -= 1
            if version.users == 0 and version.state is State.UNLOADING:
                self._wake()

    def status(self, name: str) -> list[Status]:
        """The states of a model's versions, newest first; empty for a model that has none."""
        with self._lock:
            model = self._models.get(name)
            versions = sorted(model.versions.values(), key=lambda v: -v.number) if model else []
            return [version.status() for version in versions]

    def configs(self) -> list[ModelConfig]:
        """The models that are configured now."""
        with self._lock:
            return [model.config for model in self._models.values() if model.config.base_path]

    def not_ready(self) -> list[str]:
        """The configured models that have no available version."""
        with self._lock:
            models = [model for model in self._models.values() if model.config.base_path]
            return [model.config.name for model in models if model.latest is None]

    def set_models(self, configs: Iterable[ModelConfig], timeout: float | None = None) -> None:
        """Serves these models and no others; returns when those that are new have come up or failed.

        Raises:
            ConfigError: if the configuration cannot be; then nothing has changed.
            ServingError: if new models did not become available, or a label cannot be given.
        """
        wanted = {config.name: config for config in configs}
        validate(list(wanted.values()))
        with self._changed:
            new = [name for name in wanted if name not in self._models or not self._models[name].polled]
            for name, config in wanted.items():
                old = self._models.get(name)
                if old and old.config.base_path and old.config.platform != config.platform:
                    raise ConfigError(
                        f"Illegal to change a model's platform. For model {name} platform was "
                        f"{old.config.platform} and new platform requested is {config.platform}"
                    )
            for name, config in wanted.items():
                if name in self._models:
                    self._models[name].config = config
                else:
                    self._models[name] = Model(config)
            for name, model in self._models.items():
                if name not in wanted:  # its versions go; their last state can still be asked for
                    model.config = ModelConfig(name, "")
                    plan.aspire(name, model.versions, {})
            if self._options.poll_seconds >= 0:
                self._poll_at = 0.0
            self._wake()
            failure = self._await(new, timeout)
            self._labels = labels.assign(
                self._labels, wanted, self._is_available, allow=self._options.allow_labels_for_unavailable
            )
            if failure:
                raise failure

    def stop(self) -> None:
        """Unloads everything and ends the threads."""
        with self._changed:
            self._stopping = True
            self._wake()
        self._thread.join()
        self._pool.shutdown(cancel_futures=True)
        for model in self._models.values():
            for version in model.versions.values():
                if version.engine:
                    version.engine.close()
                    version.engine = None

    def _await(self, names: list[str], timeout: float | None) -> ServingError | None:
        """Waits, under the lock, until every named model has come up or can no longer do so."""

        def settled(name: str) -> bool:
            model = self._models[name]
            wanted = [version for version in model.versions.values() if version.aspired]
            if model.latest is None:
                return bool(wanted) and all(version.state is State.END for version in wanted)
            named = set(model.config.labels.values())
            loading = {version.number for version in wanted if version.state in (State.START, State.LOADING)}
            return not named & loading

        self._changed.wait_for(lambda: self._stopping or all(map(settled, names)), timeout)
        failed = [name for name in names if self._models[name].latest is None]
        if not failed or self._stopping:
            return None
        errors = [
            f"{name}: {version.error.message}"
            for name in failed
            for version in self._models[name].versions.values()
            if version.error
        ]
        said = "; ".join(errors) or ", ".join(failed)
        return ServingError(Code.UNKNOWN, f"{len(failed)} model(s) did not become available: {{{said}}}")

    def _is_available(self, name: str, number: int) -> bool:
        version = self._models[name].versions.get(number)
        return version is not None and version.state is State.AVAILABLE

    def _wake(self) -> None:
        self._woken = True
        self._changed.notify_all()

    def _control(self) -> None:
        while True:
            self._poll_if_due()
            with self._changed:
                if self._stopping:
                    return
                doomed = self._step()
                for model in self._models.values():
                    model.refresh()
                self._changed.notify_all()
            for version in doomed:  # outside the lock: it may take a while
                self._unload(version)
            with self._changed:
                if not self._woken and not doomed:
                    self._changed.wait(max(0.0, min(self._next_time() - time.monotonic(), 3600.0)))
                self._woken = False

    def _next_time(self) -> float:
        waits = [
            version.retry_at
            for model in self._models.values()
            for version in model.versions.values()
            if version.state is State.START and version.aspired
        ]
        return min([self._poll_at, *waits])

    def _poll_if_due(self) -> None:
        with self._lock:
            if time.monotonic() < self._poll_at:
                return
            configs = [model.config for model in self._models.values() if model.config.base_path]
            every = self._options.poll_seconds
            self._poll_at = time.monotonic() + every if every > 0 else float("inf")
        for config in configs:
            self._poller.look(config)

    def _found(self, config: ModelConfig, found: Found) -> None:
        """Takes in what a poll has found, unless the model was configured anew meanwhile."""
        with self._changed:
            model = self._models.get(config.name)
            if model and model.config is config:
                model.note(found)
                self._wake()

    def _step(self) -> list[Version]:
        """Starts the loads that are due, under the lock; returns what is to be unloaded."""
        doomed = []
        for model in self._models.values():
            todo = plan.decide(
                list(model.versions.values()),
                time.monotonic(),
                preserve_availability=self._options.preserve_availability,
            )
            for version in todo.load:
                version.state = State.LOADING
                version.attempts += 1
                self._pool.submit(self._load, version)
            for version in todo.retire:
                version.state = State.UNLOADING
            doomed += todo.free
        return doomed

    def _load(self, version: Version) -> None:
        started = time.monotonic()
        loaded: Loaded | None = None
        error: ServingError | None = None
        try:
            loaded = load(version.model, version.number, version.source, self._options.load)
        except Exception as caught:
            error = as_serving_error(caught)
        seconds = time.monotonic() - started
        if self._options.metrics:
            self._options.metrics.loaded(version.source, seconds, ok=loaded is not None)
        with self._changed:
            if loaded:
                version.engine, version.cached = loaded.engine, loaded.cached
                version.state, version.error = State.AVAILABLE, None
                self._models[version.model].refresh()
                log.info("model %s: version %d is available (%.2f s)", version.model, version.number, seconds)
            else:
                assert error is not None
                self._failed(version, error)
            self._wake()

    def _failed(self, version: Version, error: ServingError) -> None:
        version.error = error
        if version.aspired and version.attempts <= self._options.max_retries and not self._stopping:
            version.state = State.START
            version.retry_at = time.monotonic() + max(0.0, self._options.retry_seconds)
            again = f"tried again in {max(0.0, self._options.retry_seconds):g} s"
        else:
            version.state = State.END
            again = "given up"
        log.error(
            "model %s: version %d failed to load: %s (%s)",
            version.model,
            version.number,
            error.message,
            again,
        )

    def _unload(self, version: Version) -> None:
        if version.engine:
            version.engine.close()
        if version.cached:
            shutil.rmtree(version.cached, ignore_errors=True)
        with self._changed:
            version.engine, version.state = None, State.END
            self._wake()
        log.info("model %s: version %d is unloaded", version.model, version.number)
