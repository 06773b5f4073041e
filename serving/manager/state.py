"""A version's life, by TensorFlow Serving's names."""

from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from serving.engine.base import Engine
from serving.errors import Code, ServingError


class VersionState(IntEnum):
    """Where a version is in its life; the numbers are those of ModelVersionStatus."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass(frozen=True)
class Status:
    """A version's state as it is told to clients."""

    version: int
    state: VersionState
    code: Code
    message: str


class Version:
    """One version of one model. Changed under the manager's lock only.

    Attributes:
        model: the model's name.
        number: the version.
        source: where it is: a folder of this machine or a bucket's URL.
        engine: what runs it, while it is available.
        cached: the copy that was made for it, to be deleted with it.
        users: how many requests are on it right now.
        error: why it failed, if it did.
        attempts: how often loading was tried.
        retry_at: when it is tried again, on the monotonic clock.
    """

    def __init__(self, model: str, number: int, source: str) -> None:
        self.model = model
        self.number = number
        self.source = source
        self.state = VersionState.START
        self.engine: Engine | None = None
        self.cached: Path | None = None
        self.users = 0
        self.error: ServingError | None = None
        self.attempts = 0
        self.retry_at = 0.0
        self.aspired = True

    def status(self) -> Status:
        """What clients are told."""
        if self.error is None:
            return Status(self.number, self.state, Code.OK, "")
        return Status(self.number, self.state, self.error.code, self.error.message)
