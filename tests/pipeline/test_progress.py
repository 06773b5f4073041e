import io
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from pipeline.progress import Progress, working


def _console(terminal: bool) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, force_terminal=terminal, width=100), out


def test_plain_lines_in_a_pipe() -> None:
    console, out = _console(terminal=False)
    with Progress.of(console, ["One", "Two"]) as progress:
        stage = progress.start("One")
        logging.getLogger("slipway.anything").info("half [way] there")
        progress.finish(stage, "cached", "as before")
    lines = out.getvalue().splitlines()
    assert lines[:2] == ["One: running", "One: half [way] there"]
    assert lines[2].startswith("One: cached in 0.")
    assert lines[2].endswith("s: as before")


def test_a_terminal_ends_with_the_whole_table() -> None:
    console, out = _console(terminal=True)
    with Progress.of(console, ["One", "Two"]) as progress:
        progress.finish(progress.start("One"), "refused", "too bad")
        progress.stages[1].status = "not run"
    last = out.getvalue().rsplit("\x1b[?25h", 1)[-1]
    assert "refused" in last
    assert "too bad" in last
    assert "not run" in last


def test_what_libraries_print_stays_off_a_live_screen(capsys: pytest.CaptureFixture[str]) -> None:
    console, out = _console(terminal=True)
    with working(console, "loading"):
        print("import noise")
    with Progress.of(console, ["One"]) as progress:
        progress.start("One")
        print("library noise")
    assert "noise" not in out.getvalue()
    assert capsys.readouterr().out == "import noise\nlibrary noise\n"


def test_reports_after_the_run_go_nowhere() -> None:
    console, out = _console(terminal=False)
    with Progress.of(console, ["One"]):
        pass
    logging.getLogger("slipway.anything").info("late")
    assert "late" not in out.getvalue()


QUIET = """
import os, subprocess, sys, warnings, logging
from pathlib import Path
from pipeline.quiet import quiet
print("before")
with quiet(Path("log.txt")) as console:
    print("python noise")
    os.write(2, b"c noise\\n")
    subprocess.run([sys.executable, "-c", "print('child noise')"])
    warnings.warn("a warning")
    logging.getLogger("tensorflow").warning("logger noise")
    console.print("seen")
print("after")
"""


def test_noise_of_every_kind_goes_to_the_log_and_the_screen_comes_back(tmp_path: Path) -> None:
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, "-c", QUIET],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["before", "seen", "after"]
    assert done.stderr == ""
    log = (tmp_path / "log.txt").read_text()
    for noise in ("python noise", "c noise", "child noise", "a warning", "logger noise"):
        assert noise in log
