"""The lifecycle of a version, with TensorFlow Serving's names."""

from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from serving.engine.base import Engine
from serving.errors import Code, ServingError


class VersionState(IntEnum):
    """The state of a version; the numbers are those of ModelVersionStatus."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass(frozen=True)
class Status:
    """A version's state as reported to clients."""

    version: int
    state: VersionState
    code: Code
    message: str


class Version:
    """One version of one model. Changed under the manager's lock only.

    Attributes:
        model: the model's name.
        number: the version.
        source: where it is: a local folder or a URL in an object store.
        engine: its engine, while it is loaded.
        cached: the copy that was fetched for it, deleted when it is unloaded.
        users: how many requests hold it.
        started: when its last load began, on the monotonic clock.
        error: why it failed to load, if it did.
        attempts: how many times loading was attempted.
        retry_at: when loading is retried, on the monotonic clock.
    """

    def __init__(self, model: str, number: int, source: str) -> None:
        self.model = model
        self.number = number
        self.source = source
        self.state = VersionState.START
        self.engine: Engine | None = None
        self.cached: Path | None = None
        self.users = 0
        self.started = 0.0
        self.error: ServingError | None = None
        self.attempts = 0
        self.retry_at = 0.0
        self.aspired = True

    def status(self) -> Status:
        """Return the state as reported to clients."""
        if self.error is None:
            return Status(self.number, self.state, Code.OK, "")
        return Status(self.number, self.state, self.error.code, self.error.message)
