"""`slipway schedule`: the pipeline on one machine, again and again by a cron expression."""

import json
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.text import Text

from pipeline import cron
from pipeline.config import Config
from pipeline.run import EXIT_CODES

#: What an exit code means; nothing more precise is known here than that a model was not released.
_OUTCOMES = {EXIT_CODES["refused"]: "refused or withdrawn", EXIT_CODES["failed"]: "failed"}
#: Seconds after which a run counts as missed, and not just as beginning.
_LATE = 60


def keep_running(console: Console, config: Config, expression: str, command: list[str]) -> None:
    """Run `command` whenever the expression says so, until SIGTERM or Ctrl-C.

    One run at a time; times that pass during a run, or while this was not running, are made up for by one run. The
    time served last is kept in `runs/schedule-<model_name>.json`, what runs print in `….log` beside it.

    Raises:
        CronError: the expression cannot be used.
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
            raise cron.CronError(f"{expression!r} never comes")
        if due <= _now() - timedelta(seconds=_LATE):
            console.print(f"{due:%Y-%m-%d %H:%M %Z} was missed: one run makes up for it", style="yellow")
        else:
            console.print(f"next run: {due:%Y-%m-%d %H:%M %Z}", style="bold")
        while _now() < due and not stopped:
            # In short waits: a signal does not end one, and a machine that sleeps does not count the time.
            time.sleep(min(1.0, max(0.0, (due - _now()).total_seconds())))
        if not stopped:
            served = _now()
            _write(record, served)
            _run(console, command, log, running)


def _run(console: Console, command: list[str], log: Path, running: list[subprocess.Popen[bytes]]) -> None:
    console.print(f"{_now():%Y-%m-%d %H:%M:%S}  run starts; its output goes to {log}", soft_wrap=True)
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        running.append(process)
        code = process.wait()
        running.remove(process)
    outcome = "done" if code == 0 else _OUTCOMES.get(code, f"exit code {code}")
    style = "green" if code == 0 else "bold red"
    console.print(Text(f"{_now():%Y-%m-%d %H:%M:%S}  run ended: ") + Text(outcome, style))


def run_command(config_path: str, overrides: list[str]) -> list[str]:
    """Spell the command of one run, for the interpreter and the folder that this process has."""
    sets = [part for override in overrides for part in ("--set", override)]
    return [sys.executable, "-m", "pipeline.cli", "run", "--config", config_path, *sets]


def _now() -> datetime:
    return datetime.now().astimezone()


def _write(record: Path, served: datetime) -> None:
    temporary = record.with_suffix(".tmp")
    temporary.write_text(json.dumps({"served": served.isoformat()}))
    temporary.replace(record)


def _read(record: Path) -> datetime | None:
    return datetime.fromisoformat(json.loads(record.read_text())["served"]) if record.is_file() else None
