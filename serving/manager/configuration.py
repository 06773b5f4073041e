"""The models that are configured, and what whoever changes that waits for. Used under the manager's lock."""

from collections.abc import Mapping
from concurrent.futures import Future

from serving.errors import Code, ServingError
from serving.manager import labels
from serving.manager.model import Model
from serving.manager.model_config import ServedModel
from serving.manager.state import VersionState
from serving.manager.waiting import Waiting, kept_from


class Configuration:
    """The configured models, by name; others are kept for the status of their versions.

    Attributes:
        models: all models.
        labels: the version that each label of each model points to.
        waiting: the configuration, while it waits for its new models.

    Args:
        allow_labels_for_unavailable: accept new labels for versions that are not available.
    """

    def __init__(self, *, allow_labels_for_unavailable: bool) -> None:
        self.models: dict[str, Model] = {}
        self.labels: labels.Labels = {}
        self.waiting: Waiting | None = None
        self._starting = True
        self._allow = allow_labels_for_unavailable

    def configured(self) -> list[Model]:
        """Return the configured models."""
        return [model for model in self.models.values() if model.config.base_path]

    def change(self, wanted: Mapping[str, ServedModel]) -> "Future[None]":
        """Put a configuration in force; see `ModelManager.set_models`.

        Raises:
            ServerConfigError: a model's platform would change; nothing has changed.
        """
        for name, config in wanted.items():
            if name in self.models:
                self.models[name].check(config)
        for model in self.configured():
            if model.config.name not in wanted:
                model.end()
                if not model.versions:
                    del self.models[model.config.name]
        new, last = self._configure(wanted), self.waiting
        if self._starting:  # the server opens with all of its models, whichever configuration brought them
            self.waiting = Waiting(wanted, self.configured(), [])
        else:
            self.waiting = Waiting(wanted, new, kept_from(last, wanted))
        if last:
            newer = "a newer configuration has taken this one's place before its models were available"
            last.end(ServingError(Code.ABORTED, newer))
        done = self.waiting.done
        self.settle()
        return done

    def settle(self) -> None:
        """End the wait if there is nothing left to wait for: assign the labels, and tell the sender."""
        waiting = self.waiting
        if waiting is None or not waiting.is_over:
            return
        self.waiting, self._starting = None, False
        error = waiting.failure()
        try:
            self.labels = labels.assign(self.labels, waiting.wanted, self._is_available, allow=self._allow)
        except ServingError as refused:
            error = error or refused
        waiting.end(error)

    def stop(self, error: ServingError) -> None:
        """Tell the sender of a configuration that waits that nothing will come of it."""
        waiting, self.waiting = self.waiting, None
        if waiting:
            waiting.end(error)

    def _configure(self, wanted: Mapping[str, ServedModel]) -> list[Model]:
        """Give each model its configuration; return those that had none."""
        new = []
        for name, config in wanted.items():
            model = self.models.get(name)
            if model is None:
                model = self.models[name] = Model(config, required=self._starting)
            elif model.config.base_path:
                model.config = config
                continue
            else:
                model.begin(config, required=self._starting)
            new.append(model)
        return new

    def _is_available(self, name: str, number: int) -> bool:
        version = self.models[name].versions.get(number)
        return version is not None and version.state is VersionState.AVAILABLE
