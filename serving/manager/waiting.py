"""A configuration that is in force, and whose sender waits until its new models are available or have failed."""

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field

from serving.errors import Code, ServingError
from serving.manager.model import Model
from serving.manager.model_config import ServedModel
from serving.manager.state import VersionState


def _running() -> "Future[None]":
    future: Future[None] = Future()
    future.set_running_or_notify_cancel()  # who has lost interest in it must not be able to cancel it
    return future


@dataclass(frozen=True)
class Waiting:
    """A configuration whose sender waits.

    Attributes:
        wanted: the configuration, by model name.
        new: the models that the last configuration did not have.
        kept: models for which the last configuration still waited, and which this one has too. They are waited for
            only as long as there is progress: a path that is not there must not hold up one reload after another.
        done: how it ends.
    """

    wanted: Mapping[str, ServedModel]
    new: list[Model]
    kept: list[Model]
    done: "Future[None]" = field(default_factory=_running)

    @property
    def models(self) -> list[Model]:
        """All models that it waits for."""
        return [*self.new, *self.kept]

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to wait for."""
        return all(model.settled for model in self.new) and all(
            model.settled or not model.in_progress for model in self.kept
        )

    def failure(self) -> ServingError | None:
        """Return an error that names the models that have failed; None if there are none."""
        failed = [model for model in self.models if model.settled and not model.available]
        if not failed:
            return None
        errors = [
            f"{model.config.name}: {version.error.message}"
            for model in failed
            for version in model.versions.values()
            if version.error and version.state is VersionState.END
        ]
        said = "; ".join(errors) or ", ".join(model.config.name for model in failed)
        return ServingError(Code.UNKNOWN, f"{len(failed)} model(s) did not become available: {{{said}}}")

    def end(self, error: ServingError | None = None) -> None:
        """Tell the sender how it ended."""
        if error:
            self.done.set_exception(error)
        else:
            self.done.set_result(None)


def kept_from(last: Waiting | None, wanted: Iterable[str]) -> list[Model]:
    """Return the models that the last configuration waits for and the next one has too."""
    names = set(wanted)
    models = last.models if last else []
    return [model for model in models if model.config.name in names and not model.settled]
