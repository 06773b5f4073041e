"""What a run shows while it is running: a live table in a terminal, plain lines in a pipe."""

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Literal

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

Status = Literal["waiting", "running", "done", "cached", "unchanged", "refused", "failed", "not run"]
_STYLE = {
    "waiting": "dim",
    "running": "bold cyan",
    "done": "green",
    "cached": "blue",
    "unchanged": "blue",
    "refused": "bold red",
    "failed": "bold red",
    "not run": "dim",
}


@dataclass
class Stage:
    """One row: a stage, its status, the seconds it took, and a message about its outcome."""

    name: str
    status: Status = "waiting"
    started: float = 0.0
    seconds: float = 0.0
    message: str = ""


@dataclass
class Progress:
    """The stages of a run. As a context manager it also shows what the stages log."""

    console: Console
    stages: list[Stage]
    live: Live | None = field(default=None, init=False)

    @classmethod
    def of(cls, console: Console, names: list[str]) -> "Progress":
        """Make the table of stages that have not started."""
        return cls(console, [Stage(name) for name in names])

    def __enter__(self) -> "Progress":
        if self.console.is_terminal:
            self.live = _live(self.console, self.table)
            self.live.__enter__()
        logger = logging.getLogger("slipway")
        logger.setLevel(logging.INFO)
        logger.addHandler(_Forward(self))
        return self

    def __exit__(self, *error: object) -> None:
        logger = logging.getLogger("slipway")
        for handler in [h for h in logger.handlers if isinstance(h, _Forward)]:
            logger.removeHandler(handler)
        if self.live:
            self.live.__exit__(None, None, None)
            self.console.print(self.table())

    def start(self, name: str) -> Stage:
        """Mark a stage as running."""
        stage = next(s for s in self.stages if s.name == name)
        stage.status, stage.started = "running", time.monotonic()
        if not self.live:
            self.console.print(f"{name}: running")
        return stage

    def finish(self, stage: Stage, status: Status, message: str = "", seconds: float | None = None) -> None:
        """Mark a stage as ended, now, or after the seconds given."""
        stage.status, stage.message = status, message
        stage.seconds = time.monotonic() - stage.started if seconds is None else seconds
        if not self.live:
            self.console.print(
                Text(f"{stage.name}: {status} in {stage.seconds:.1f} s{message and ': ' + message}")
            )

    def report(self, message: str) -> None:
        """Show a message of the running stage."""
        running = next((s for s in self.stages if s.status == "running"), None)
        if running is None:
            return
        running.message = message
        if not self.live:
            self.console.print(Text(f"{running.name}: {message}"))

    def table(self) -> RenderableType:
        """Draw the stages."""
        table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
        table.add_column(width=10)
        table.add_column(no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(overflow="ellipsis", no_wrap=True, ratio=1)
        for stage in self.stages:
            style = _STYLE[stage.status]
            mark: RenderableType = Text(stage.status, style)
            seconds = stage.seconds
            if stage.status == "running":
                mark = Spinner("dots", Text("running", style), style=style)
                seconds = time.monotonic() - stage.started
            shown = f"{seconds:.1f} s" if stage.status not in ("waiting", "not run") else ""
            table.add_row(mark, Text(stage.name, style), shown, Text(stage.message, "dim"))
        return table


def working(console: Console, text: str) -> AbstractContextManager[object]:
    """Show that something is in progress, in a terminal; in a pipe nothing is printed."""
    spinner = Spinner("dots", Text(text, "dim"))
    return _live(console, lambda: spinner) if console.is_terminal else nullcontext()


def _live(console: Console, renderable: Callable[[], RenderableType]) -> Live:
    # By default, rich would show on the screen what libraries print, which belongs in the log.
    return Live(
        get_renderable=renderable,
        console=console,
        refresh_per_second=8,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )


class _Forward(logging.Handler):
    """Shows the log messages of our own stages on the screen."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(logging.INFO)
        self.progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        self.progress.report(record.getMessage())
