"""`slipway schedule`: the pipeline on one machine, at the times of a cron expression."""

import json
import signal
import subprocess
import time
from datetime import datetime, timedelta
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.text import Text

from components.atomic import write_atomically
from pipeline import cron
from pipeline.config import Config
from pipeline.run import EXIT_CODES
from serving.process import environment, python_module

#: What an exit code means; nothing more precise is known here than that a model was not released.
_OUTCOMES = {EXIT_CODES["refused"]: "refused or withdrawn", EXIT_CODES["failed"]: "failed"}
#: Seconds after which a run counts as missed.
_LATE = 60


def keep_running(console: Console, config: Config, expression: str, command: list[str]) -> None:
    """Run `command` whenever the expression says so, until SIGTERM or Ctrl-C.

    One run at a time; times that pass during a run, or while this was not running, are made up for by one run. The
    last time served is kept in `runs/schedule-<model_name>.json`, the output of runs in `….log` beside it.

    Raises:
        CronError: the expression is invalid, or never comes true.
    """
    trigger = cron.trigger(cron.parse(expression))
    folder = Path(config.runs)
    folder.mkdir(parents=True, exist_ok=True)
    record, log = (folder / f"schedule-{config.model_name}.{suffix}" for suffix in ("json", "log"))
    # Not an Event: its lock may be held by the very code that the handler interrupts.
    stopped: list[int] = []
    running: list[subprocess.Popen[bytes]] = []

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.append(number)
        for process in running:
            process.terminate()  # what it has not finished, the next run continues

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    served = _read(record) or _now()
    while not stopped:
        due = trigger.get_next_fire_time(None, served + timedelta(seconds=1))
        if due is None:
            raise cron.CronError(f"{expression!r} never comes true")
        if due <= _now() - timedelta(seconds=_LATE):
            console.print(f"{due:%Y-%m-%d %H:%M %Z} was missed: one run makes up for it", style="yellow")
        else:
            console.print(f"next run: {due:%Y-%m-%d %H:%M %Z}", style="bold")
        while _now() < due and not stopped:
            # In short sleeps: a signal does not end one, and a suspended machine does not count the time.
            time.sleep(min(1.0, max(0.0, (due - _now()).total_seconds())))
        if not stopped:
            served = _now()
            _write(record, served)
            _run(console, command, log, running)


def _run(console: Console, command: list[str], log: Path, running: list[subprocess.Popen[bytes]]) -> None:
    console.print(f"{_now():%Y-%m-%d %H:%M:%S}  run starts; its output goes to {log}", soft_wrap=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment()
        )
        running.append(process)
        code = process.wait()
        running.remove(process)
    outcome = "done" if code == 0 else _OUTCOMES.get(code, f"exit code {code}")
    style = "green" if code == 0 else "bold red"
    console.print(Text(f"{_now():%Y-%m-%d %H:%M:%S}  run ended: ") + Text(outcome, style))


def run_command(config_path: str, overrides: list[str]) -> list[str]:
    """Build the command of one run, for this process's interpreter and working folder."""
    sets = [part for override in overrides for part in ("--set", override)]
    return python_module("pipeline.cli", "run", "--config", config_path, *sets)


def _now() -> datetime:
    return datetime.now().astimezone()


def _write(record: Path, served: datetime) -> None:
    write_atomically(record, json.dumps({"served": served.isoformat()}))


def _read(record: Path) -> datetime | None:
    return datetime.fromisoformat(json.loads(record.read_text())["served"]) if record.is_file() else None
