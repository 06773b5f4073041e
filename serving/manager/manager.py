"""Keeps the aspired versions loaded: polls, loads in the background, swaps without a gap, unloads.

One thread decides, and a thread pool loads. Requests hold a version from `acquire` to `release`; a version is freed
only when no request holds it any more. It is one file because one lock guards all of it; what to do is decided in
`plan.py`, and done to a version in `loader.py`.
"""

import logging
import shutil
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from serving.errors import Code, ServingError
from serving.manager import labels, plan
from serving.manager.loader import Loaded, as_serving_error, load
from serving.manager.model import Model, failure
from serving.manager.model_config import ServedModel, validate
from serving.manager.options import ManagerOptions
from serving.manager.poller import Found, Poller
from serving.manager.state import Status, Version, VersionState

log = logging.getLogger("slipway.models")


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
        """Return the version that a request asks for; it stays loaded until `release`.

        Raises:
            ServingError: the version is not available (NOT_FOUND), or the label is unknown (INVALID_ARGUMENT).
        """
        with self._lock:
            if label is not None:
                version = labels.resolve(self._labels, name, label)
            model = self._models.get(name)
            found = None
            if model is not None:
                found = model.latest if version is None else model.versions.get(version)
            if found is None or found.state is not VersionState.AVAILABLE:
                asked = f"Latest({name})" if version is None else f"Specific({name}, {version})"
                raise ServingError(Code.NOT_FOUND, f"Servable not found for request: {asked}")
            found.users += 1
            return found

    def release(self, version: Version) -> None:
        """Release an acquired version."""
        with self._lock:
            version.users -= 1
            if version.users == 0 and version.state is VersionState.UNLOADING:
                self._wake()

    def status(self, name: str) -> list[Status]:
        """Return the states of a model's versions, newest first; empty for a model that has none."""
        with self._lock:
            model = self._models.get(name)
            versions = sorted(model.versions.values(), key=lambda v: -v.number) if model else []
            return [version.status() for version in versions]

    def knows(self, name: str) -> bool:
        """Tell whether there is a model of this name, served or being unloaded."""
        return name in self._models

    def configs(self) -> list[ServedModel]:
        """Return the configured models."""
        with self._lock:
            return [model.config for model in self._configured()]

    def not_ready(self) -> list[str]:
        """Return the configured models that have no available version."""
        with self._lock:
            return [model.config.name for model in self._configured() if model.latest is None]

    def set_models(self, configs: Iterable[ServedModel], timeout: float | None = None) -> None:
        """Serve these models and no others; return when the new ones are available or have failed.

        Raises:
            ServerConfigError: the configuration is invalid; nothing has changed.
            ServingError: new models did not become available, or a label cannot be assigned.
        """
        wanted = {config.name: config for config in configs}
        validate(list(wanted.values()))
        with self._changed:
            new = [name for name in wanted if name not in self._models or not self._models[name].polled]
            for name, config in wanted.items():
                if name in self._models:
                    self._models[name].check(config)
            for name, config in wanted.items():
                self._models.setdefault(name, Model(config)).config = config
            for name, model in self._models.items():
                if name not in wanted:  # its versions are unloaded; their last state can still be queried
                    model.config = ServedModel(name, "")
                    plan.aspire(name, model.versions, {})
            if self._options.poll_seconds >= 0:
                self._poll_at = 0.0
            self._wake()
            failed = self._await(new, timeout)
            self._labels = labels.assign(
                self._labels, wanted, self._is_available, allow=self._options.allow_labels_for_unavailable
            )
            if failed:
                raise failed

    def stop(self) -> None:
        """Unload everything and stop the threads."""
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

    def _configured(self) -> list[Model]:
        """Return the configured models; others are kept only for their status."""
        return [model for model in self._models.values() if model.config.base_path]

    def _await(self, names: list[str], timeout: float | None) -> ServingError | None:
        """Wait, under the lock, until every named model is available or has failed."""
        models = [self._models[name] for name in names]
        self._changed.wait_for(lambda: self._stopping or all(model.settled for model in models), timeout)
        return None if self._stopping else failure(models)

    def _is_available(self, name: str, number: int) -> bool:
        version = self._models[name].versions.get(number)
        return version is not None and version.state is VersionState.AVAILABLE

    def _wake(self) -> None:
        self._woken = True
        self._changed.notify_all()

    def _control(self) -> None:
        while True:
            self._poll_if_due()
            with self._changed:
                if self._stopping:
                    return
                unloading = self._step()
                for model in self._models.values():
                    model.refresh()
                self._changed.notify_all()
            for version in unloading:  # outside the lock: it may take a while
                self._unload(version)
            with self._changed:
                if not self._woken and not unloading:
                    self._changed.wait(max(0.0, min(self._next_time() - time.monotonic(), 3600.0)))
                self._woken = False

    def _next_time(self) -> float:
        waits = [
            version.retry_at
            for model in self._models.values()
            for version in model.versions.values()
            if version.state is VersionState.START and version.aspired
        ]
        return min([self._poll_at, *waits])

    def _poll_if_due(self) -> None:
        with self._lock:
            if time.monotonic() < self._poll_at:
                return
            configs = [model.config for model in self._configured()]
            every = self._options.poll_seconds
            self._poll_at = time.monotonic() + every if every > 0 else float("inf")
        for config in configs:
            self._poller.look(config)

    def _found(self, config: ServedModel, found: Found) -> None:
        """Apply the result of a poll, unless the model's configuration has changed meanwhile."""
        with self._changed:
            model = self._models.get(config.name)
            if model and model.config is config:
                model.note(found)
                self._wake()

    def _step(self) -> list[Version]:
        """Start the loads that are due, under the lock; return the versions to unload."""
        unloading = []
        for model in self._models.values():
            todo = plan.decide(
                list(model.versions.values()),
                time.monotonic(),
                preserve_availability=self._options.preserve_availability,
            )
            for version in todo.load:
                version.state = VersionState.LOADING
                version.attempts += 1
                self._pool.submit(self._load, version)
            for version in todo.retire:
                version.state = VersionState.UNLOADING
            unloading += todo.free
        return unloading

    def _load(self, version: Version) -> None:
        started = time.monotonic()
        loaded: Loaded | None = None
        error: ServingError | None = None
        try:
            loaded = load(version.model, version.number, version.source, self._options.load)
        except Exception as caught:
            error = as_serving_error(caught)
        seconds = time.monotonic() - started
        self._options.metrics.loaded(version.source, seconds, ok=loaded is not None)
        with self._changed:
            if loaded:
                version.engine, version.cached = loaded.engine, loaded.cached
                version.state, version.error = VersionState.AVAILABLE, None
                self._models[version.model].refresh()
                log.info("model %s: version %d is available (%.2f s)", version.model, version.number, seconds)
            else:
                assert error is not None
                self._failed(version, error)
            self._wake()

    def _failed(self, version: Version, error: ServingError) -> None:
        seconds = max(0.0, self._options.retry_seconds)
        again = version.aspired and version.attempts <= self._options.max_retries and not self._stopping
        version.error = error
        version.state = VersionState.START if again else VersionState.END
        version.retry_at = time.monotonic() + seconds
        outlook = f"next attempt in {seconds:g} s" if again else "no more attempts"
        what = f"model {version.model}: version {version.number} failed to load: {error.message}"
        log.error("%s (%s)", what, outlook)

    def _unload(self, version: Version) -> None:
        if version.engine:
            version.engine.close()
        if version.cached:
            shutil.rmtree(version.cached, ignore_errors=True)
        with self._changed:
            version.engine, version.state = None, VersionState.END
            self._wake()
        log.info("model %s: version %d is unloaded", version.model, version.number)
