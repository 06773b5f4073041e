"""What the pusher did, as `push.json` in its artifact."""

from pathlib import Path

from components.config import Section
from components.names import PUSH_FILE


class PushOutcome(Section):
    """What became of a push.

    Attributes:
        version: the release that holds the model; None if it was withdrawn.
        digest: of the model.
        written: whether this push made the release.
        message: the outcome in one line.
    """

    version: int | None
    digest: str
    written: bool
    message: str


def write_outcome(outcome: PushOutcome, folder: str | Path) -> None:
    """Write `push.json` into the folder of an artifact."""
    (Path(folder) / PUSH_FILE).write_text(outcome.model_dump_json(indent=1))


def read_outcome(folder: str | Path) -> PushOutcome:
    """Read `push.json` of an artifact."""
    return PushOutcome.model_validate_json((Path(folder) / PUSH_FILE).read_text())
