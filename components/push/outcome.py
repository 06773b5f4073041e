"""What the pusher did, as `push.json` in its artifact."""

from pathlib import Path

from components.config import Section
from components.names import PUSH_FILE


class PushOutcome(Section):
    """What became of a push.

    `version` is the release that holds the model, none if it was withdrawn; `written` whether this push made it.
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
