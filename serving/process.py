"""Runs our own Python modules as separate processes, and ends this one."""

import contextlib
import os
import sys
import threading
from pathlib import Path
from typing import NoReturn

_NICE = 5
_SOURCES = Path(__file__).resolve().parent.parent


def python_module(module: str, *arguments: str) -> list[str]:
    """Return the command that runs one of our modules with this Python; run it in `environment()`.

    `-P` keeps Python from putting the working directory first on the path: a user's `pipeline.py` or `data.py` there
    would be imported instead of ours.
    """
    return [sys.executable, "-P", "-m", module, *arguments]


def give_way() -> None:
    """Lower the priority of this thread, where threads have one of their own: the event loop goes first."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


def environment(**more: str) -> dict[str, str]:
    """Return this process's environment, changed so that a child imports our modules from the same place."""
    paths = [str(_SOURCES), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)), **more}


def end(code: int) -> NoReturn:
    """End this process without waiting for its threads, as `sys.exit` would for those of a ThreadPoolExecutor."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # closed, or nobody reads it any more
            stream.flush()
    os._exit(code)


def end_after(seconds: float, code: int) -> None:
    """End this process in so many seconds, if it is still there, whatever its threads wait for."""
    timer = threading.Timer(seconds, os._exit, [code])
    timer.daemon = True
    timer.start()
