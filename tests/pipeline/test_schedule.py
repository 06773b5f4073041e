import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from tests.conftest import REPOSITORY

#: A schedule of a command that notes its start, works for as long as it is told, and ends with a code.
PROGRAM = """
import sys
from rich.console import Console
from pipeline.config import load_config
from pipeline.schedule import keep_running

work = "import sys, time; open('started', 'a').write('x'); time.sleep(float(sys.argv[1])); sys.exit(int(sys.argv[2]))"
config = load_config(sys.argv[1])
keep_running(Console(), config, "0 0 1 1 *", [sys.executable, "-c", work, *sys.argv[2:]])
"""


@contextlib.contextmanager
def _schedule(folder: Path, seconds: float, code: int) -> Iterator[subprocess.Popen[str]]:
    config = str(REPOSITORY / "configs" / "digits.yaml")
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, config, str(seconds), str(code)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _served(folder: Path, when: datetime) -> None:
    (folder / "runs").mkdir()
    (folder / "runs" / "schedule-digits.json").write_text(json.dumps({"served": when.isoformat()}))


def _wait_for(process: subprocess.Popen[str], words: str) -> str:
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if words in line:
            return said
    raise AssertionError(f"ended with {process.wait()} before it said {words!r}: {said}")


def test_years_that_were_missed_are_made_up_for_by_one_run(tmp_path: Path) -> None:
    _served(tmp_path, datetime.now().astimezone() - timedelta(days=3 * 365))
    with _schedule(tmp_path, 0, 3) as process:
        said = _wait_for(process, "next run: ")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert "was missed: one run makes up for it" in said
    assert "run ended: refused or withdrawn" in said
    assert (tmp_path / "started").read_text() == "x"
    served = json.loads((tmp_path / "runs" / "schedule-digits.json").read_text())["served"]
    assert datetime.now().astimezone() - datetime.fromisoformat(served) < timedelta(minutes=1)


def test_nothing_runs_before_its_time(tmp_path: Path) -> None:
    with _schedule(tmp_path, 0, 0) as process:
        said = _wait_for(process, "next run: ")
        assert "-01-01 00:00" in said
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert not (tmp_path / "started").exists()


def test_stopping_ends_the_run_too(tmp_path: Path) -> None:
    _served(tmp_path, datetime.now().astimezone() - timedelta(days=2 * 365))
    with _schedule(tmp_path, 60, 0) as process:
        _wait_for(process, "run starts")
        while not (tmp_path / "started").exists():
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
