"""Starting, finding and stopping the processes: by a pid file, never by name."""

import json
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from components.atomic import write_atomically
from pipeline.flink.class_path import FlinkError, fetch
from pipeline.flink.config import Settings, commands, write_flink_conf

PID_FILE = "pids.json"
_PATIENCE = 120.0


@dataclass(frozen=True)
class Process:
    """A process that was started here; its creation time tells it from a later one with the same pid."""

    name: str
    pid: int
    created: float

    def find(self) -> psutil.Process | None:
        """Return the process if it still runs."""
        try:
            process = psutil.Process(self.pid)
            alive = process.create_time() == self.created and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return None
        return process if alive else None


@dataclass(frozen=True)
class Running:
    """What `up` started."""

    settings: Settings
    processes: tuple[Process, ...]

    def answers(self) -> bool:
        """Tell whether all of it runs and the job endpoint answers."""
        return all(one.find() for one in self.processes) and _listens(self.settings.job_port)


def up(settings: Settings, folder: Path) -> Running:
    """Start the job server and what it needs, and wait until its job endpoint answers.

    Raises:
        FlinkError: it runs already, a port is taken, or a process ended; then nothing is left running.
    """
    earlier = read(folder)
    if earlier is not None:
        if any(one.find() for one in earlier.processes):
            raise FlinkError(
                f"{folder}: Flink is running already; slipway flink status shows it, slipway flink down stops it"
            )
        down(folder)
    ports = {"--job-port": settings.job_port}
    if settings.standalone:
        ports |= {"--rest-port": settings.rest_port, "--rpc-port": settings.rpc_port}
    for option, port in ports.items():
        if _listens(port):
            raise FlinkError(f"port {port} is taken; choose another with {option}")
    jars = fetch()
    write_flink_conf(settings, folder)
    started: list[Process] = []
    ready = {
        "JobManager": lambda: _listens(settings.rest_port),
        "TaskManager": lambda: _task_managers(settings.rest_port) > 0,
        "job server": lambda: _listens(settings.job_port),
    }
    try:
        for name, command in commands(settings, jars, folder).items():
            log = log_file(folder, name)
            process = _start(name, command, log)
            started.append(process)
            _write(folder, Running(settings, tuple(started)))
            _wait(process, ready[name], log)
    except BaseException:
        down(folder)
        raise
    return Running(settings, tuple(started))


def read(folder: Path) -> Running | None:
    """Read what was started with this folder; None if nothing was, or if it was stopped."""
    try:
        raw = json.loads((folder / PID_FILE).read_text())
    except FileNotFoundError:
        return None
    return Running(Settings(**raw["settings"]), tuple(Process(**one) for one in raw["processes"]))


def log_file(folder: Path, name: str) -> Path:
    """Return the file that a process writes its output to."""
    return folder / f"{name.replace(' ', '_').lower()}.log"


def last_words(log: Path, lines: int) -> str:
    """Return the last lines of a process's log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def down(folder: Path) -> list[str]:
    """Stop what was started with this folder; returns the names of what was still running."""
    running = read(folder)
    if running is None:
        return []
    found = [(one.name, process) for one in reversed(running.processes) if (process := one.find())]
    for _, process in found:
        process.terminate()
    _, stubborn = psutil.wait_procs([process for _, process in found], timeout=10)
    for process in stubborn:
        process.kill()
    psutil.wait_procs(stubborn, timeout=10)
    (folder / PID_FILE).unlink()
    return [name for name, _ in found]


def _start(name: str, command: list[str], log: Path) -> Process:
    with log.open("wb") as sink:
        # A session of its own: Ctrl-C in this terminal is not meant for it.
        child = subprocess.Popen(
            command, stdout=sink, stderr=sink, stdin=subprocess.DEVNULL, start_new_session=True
        )
    child.returncode = 0  # it is to outlive this process, which Popen would warn about
    return Process(name, child.pid, psutil.Process(child.pid).create_time())


def _wait(process: Process, ready: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not ready():
        if process.find() is None or time.monotonic() > deadline:
            what = "ended" if process.find() is None else f"did not answer within {_PATIENCE:.0f} s"
            raise FlinkError(f"the {process.name} {what}; the end of {log}:\n{last_words(log, 8)}")
        time.sleep(0.2)


def _write(folder: Path, running: Running) -> None:
    write_atomically(folder / PID_FILE, json.dumps(asdict(running), indent=2))


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _task_managers(rest_port: int) -> int:
    try:
        with urllib.request.urlopen(f"http://localhost:{rest_port}/overview", timeout=5) as answer:
            return int(json.load(answer)["taskmanagers"])
    except (OSError, ValueError, KeyError):
        return 0
