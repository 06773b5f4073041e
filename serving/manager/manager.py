"""Keeps the aspired versions loaded: polls, loads in the background, swaps without a gap, unloads.

One thread decides. Whatever can hang (looking into a folder or a bucket, loading, unloading) runs in a daemon thread of
its own, so that it holds up nothing else, nor the end of the process. Requests hold a version from `acquire` to
`release`; a version is freed only when no request holds it any more. It is one file because one lock guards all of it;
what to do is decided in `plan.py`, and done to a version in `loader.py`.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any

from serving.engine.base import Engine
from serving.errors import Code, ServingError
from serving.manager import labels, plan
from serving.manager.configuration import Configuration
from serving.manager.loader import Loaded, as_serving_error, give_back_memory, load, unload
from serving.manager.model import Model
from serving.manager.model_config import ServedModel, validate
from serving.manager.options import ManagerOptions
from serving.manager.poller import Found, Poller
from serving.manager.state import Status, Version, VersionState

log = logging.getLogger("slipway.models")

_IDLE_SECONDS = 3600.0
_WAITING_SECONDS = 1.0
_AFTER_ERROR_SECONDS = 1.0


class ModelManager:
    """The models being served. All methods may be called from any thread, and none of them waits."""

    def __init__(self, options: ManagerOptions) -> None:
        self._options = options
        allow = options.allow_labels_for_unavailable
        self._configuration = Configuration(allow_labels_for_unavailable=allow)
        self._models = self._configuration.models
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._woken = False
        self._poll_at = 0.0 if options.poll_seconds >= 0 else float("inf")
        self._stopping = False
        self._poller = Poller(self._found)
        _start(self._control, name="model-manager")

    def acquire(self, name: str, version: int | None = None, label: str | None = None) -> Version:
        """Return the version that a request asks for; it stays loaded until `release`.

        Raises:
            ServingError: the version is not available (NOT_FOUND), or the label is unknown (INVALID_ARGUMENT).
        """
        with self._lock:
            if label is not None:
                version = labels.resolve(self._configuration.labels, name, label)
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
            return [model.config for model in self._configuration.configured()]

    def not_ready(self) -> list[str]:
        """Return the models that the server should have and has not: see `Model.required`."""
        with self._lock:
            return [
                m.config.name for m in self._configuration.configured() if m.required and m.latest is None
            ]

    def set_models(self, configs: Iterable[ServedModel]) -> "Future[None]":
        """Serve these models and no others, from now on.

        Returns:
            What is done when the models that the last configuration did not have are available. It fails with
            ServingError if they have failed, or a label cannot be assigned (FAILED_PRECONDITION); if a newer
            configuration takes this one's place before (ABORTED); if the server is stopped before (UNAVAILABLE).

        Raises:
            ServerConfigError: the configuration is invalid; nothing has changed.
            ServingError: the server is being stopped (UNAVAILABLE).
        """
        wanted = {config.name: config for config in configs}
        validate(list(wanted.values()))
        with self._changed:
            if self._stopping:
                raise _stopped()
            done = self._configuration.change(wanted)
            if self._options.poll_seconds >= 0:
                self._poll_at = 0.0
            self._wake()
            return done

    def stop(self) -> None:
        """Change nothing from now on: whoever waits is told so. Versions stay as they are, for calls in flight."""
        with self._changed:
            self._stopping = True
            self._configuration.stop(_stopped())
            self._wake()

    def _wake(self) -> None:
        self._woken = True
        self._changed.notify_all()

    def _control(self) -> None:
        while not self._stopping:
            try:
                self._poll_if_due()
                with self._changed:
                    now = time.monotonic()
                    self._step(now)
                    self._configuration.settle()
                    if not self._woken:
                        self._changed.wait(self._idle_seconds(now))
                    self._woken = False
            except Exception:
                # Such as no more threads. The next attempt may succeed, and nobody else would make it.
                log.exception("internal error in the model manager")
                time.sleep(_AFTER_ERROR_SECONDS)

    def _idle_seconds(self, now: float) -> float:
        """Return how long there is nothing to do, if nothing happens meanwhile."""
        waiting = self._configuration.waiting
        look_again = now + (_WAITING_SECONDS if waiting and waiting.kept else _IDLE_SECONDS)
        next_time = min(self._poll_at, look_again, plan.next_time(self._versions(), now))
        return max(0.0, next_time - time.monotonic())

    def _versions(self) -> list[Version]:
        return [version for model in self._models.values() for version in model.versions.values()]

    def _poll_if_due(self) -> None:
        with self._lock:
            if time.monotonic() < self._poll_at:
                return
            configs = [model.config for model in self._configuration.configured()]
            every = self._options.poll_seconds
            self._poll_at = time.monotonic() + every if every > 0 else float("inf")
        for config in configs:
            self._poller.look(config.name, config.base_path)

    def _found(self, name: str, base_path: str, found: Found) -> None:
        """Apply the result of a poll, unless the model is somewhere else by now."""
        with self._changed:
            model = self._models.get(name)
            if model and model.config.base_path == base_path:
                model.note(found)
                self._wake()

    def _step(self, now: float) -> None:
        """Start the loads and unloads that are due, under the lock."""
        places = self._options.load_threads - plan.count_loads(self._versions(), now)
        for model in self._models.values():
            todo = plan.decide(
                list(model.versions.values()), now, preserve_availability=self._options.preserve_availability
            )
            for version in todo.retire:
                version.state = VersionState.UNLOADING
            for version in todo.free:
                _start(self._unload, model, version, version.engine, name="model-unload")
                version.engine = None
            for version in todo.load[: max(0, places)]:
                version.started = now
                _start(self._load, model, version, name="model-load")
                version.state = VersionState.LOADING
                version.attempts += 1
                places -= 1
            model.refresh()

    def _load(self, model: Model, version: Version) -> None:
        loaded: Loaded | None = None
        error: ServingError | None = None
        try:
            loaded = load(version.model, version.number, version.source, self._options.load)
        except Exception as caught:
            error = as_serving_error(caught)
        seconds = time.monotonic() - version.started
        self._options.metrics.loaded(version.source, seconds, ok=loaded is not None)
        with self._changed:
            replaced = model.versions.get(version.number) is not version
            if loaded and not replaced:
                version.engine, version.cached = loaded.engine, loaded.cached
                version.state, version.error = VersionState.AVAILABLE, None
                model.refresh()
                log.info("model %s: version %d is available (%.2f s)", version.model, version.number, seconds)
            elif error and not replaced:
                self._failed(version, error)
            self._wake()
        if loaded and replaced:
            unload(loaded.engine, loaded.cached)
        elif not loaded:
            give_back_memory()

    def _failed(self, version: Version, error: ServingError) -> None:
        seconds = max(0.0, self._options.retry_seconds)
        again = version.aspired and version.attempts <= self._options.max_retries
        version.error = error
        version.state = VersionState.START if again else VersionState.END
        version.retry_at = time.monotonic() + seconds
        outlook = f"next attempt in {seconds:g} s" if again else "no more attempts"
        what = f"model {version.model}: version {version.number} failed to load: {error.message}"
        log.error("%s (%s)", what, outlook)

    def _unload(self, model: Model, version: Version, engine: Engine) -> None:
        try:
            unload(engine, version.cached)
        except Exception:  # what it holds may be lost, but the version is gone
            log.exception("model %s: error while unloading version %d", version.model, version.number)
        with self._changed:
            version.state = VersionState.END
            model.aspire()
            self._wake()
        log.info("model %s: version %d is unloaded", version.model, version.number)


def _start(work: Callable[..., None], *arguments: Any, name: str) -> None:
    """Run a function in a daemon thread, which can be left behind when the process ends."""
    threading.Thread(target=work, args=arguments, name=name, daemon=True).start()


def _stopped() -> ServingError:
    return ServingError(Code.UNAVAILABLE, "the server is shutting down")
