"""The record of a run: `runs/<id>/summary.json`, which `slipway why` and the report read."""

import secrets
from datetime import datetime
from pathlib import Path
from typing import Literal

from components.atomic import write_atomically
from components.config import Section
from components.verdict import Verdict
from serving.errors import UserError

FILE_NAME = "summary.json"
Outcome = Literal["pushed", "unchanged", "withdrawn", "refused", "failed"]


class NoRunError(UserError, LookupError):
    """There is no such run."""


class StageRecord(Section):
    """One stage of a run; `seconds` of wall time."""

    name: str
    status: str
    seconds: float
    message: str = ""


class Summary(Section):
    """What a run did.

    Attributes:
        run_id: its name.
        model_name: the model's name.
        config: path of its configuration.
        overrides: what `--set` changed in it.
        bucket: where it would release the model.
        started: when, in local time.
        seconds: wall time.
        outcome: in one word.
        message: the outcome in one line.
        version: the release that the run pushed, or found to be the same model.
        stages: in the order in which they ran.
        verdicts: of the gates, in their order.
        outputs: the artifacts' folders, by stage and key.
    """

    run_id: str
    model_name: str
    config: str
    bucket: str
    started: str
    seconds: float
    outcome: Outcome
    message: str
    version: int | None
    stages: tuple[StageRecord, ...]
    verdicts: tuple[Verdict, ...]
    outputs: dict[str, dict[str, str]]
    overrides: tuple[str, ...] = ()
    slipway_version: str = ""
    commit: str = ""


def new_run_id(model_name: str) -> str:
    """Name a run by its time, so that names sort as runs do, and by its model."""
    return f"{datetime.now():%Y%m%d-%H%M%S}-{model_name}-{secrets.token_hex(2)}"


def write_summary(summary: Summary, runs: str | Path) -> Path:
    """Write a run's record, whole or not at all."""
    path = Path(runs) / summary.run_id / FILE_NAME
    write_atomically(path, summary.model_dump_json(indent=1))
    return path


def read_summary(runs: str | Path, run_id: str | None = None, model_name: str | None = None) -> Summary:
    """Read a run's record: the run named, or the latest one (of a model, if one is named).

    Raises:
        NoRunError: there is none; the message names the latest ones.
    """
    found = sorted(Path(runs).glob(f"*/{FILE_NAME}"), key=lambda path: path.parent.name)
    for path in reversed(found):
        if run_id in (None, path.parent.name):
            summary = Summary.model_validate_json(path.read_text())
            if model_name in (None, summary.model_name):
                return summary
    wanted = f"run {run_id!r}" if run_id else f"run of {model_name}" if model_name else "run"
    have = ", ".join(path.parent.name for path in found[-5:]) or "none"
    raise NoRunError(f"there is no {wanted} in {runs}/ (latest: {have})")
