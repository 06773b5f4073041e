"""`run_local.py` in a process of its own that has TensorFlow and TFX imported already: some 8 s of CPU less a run.

The processes are forked from one that has imported them and nothing of ours (multiprocessing's fork server), so each
runs all of our code afresh. At least one test starts a run as a user does, from nothing: `Workspace.run(cold=True)`.
"""

import importlib
import multiprocessing
import multiprocessing.process
import os
import runpy
import sys
from collections.abc import Collection, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

_REPOSITORY = str(Path(__file__).resolve().parent.parent)
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    [
        "tensorflow",
        "tf_keras",
        "tensorflow_model_analysis",
        "tensorflow_transform",
        "tfx.components",
        "tfx.dsl.compiler.compiler",
        "tfx.orchestration.portable.launcher",
    ]
)


def start(
    program: Path, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], output: Path
) -> multiprocessing.process.BaseProcess:
    """Start a Python program in a folder, its output into a file or a named pipe; it leads a process group."""
    process = _context.Process(
        target=_run, args=(str(program), list(arguments), str(folder), dict(environment), str(output))
    )
    process.start()
    return process


def modules_after_import(module: str, packages: Collection[str]) -> set[str]:
    """Import a module in a process that has imported nothing of some packages; returns what it then has of them."""
    receiver, sender = _context.Pipe(duplex=False)
    process = _context.Process(target=_import, args=(module, tuple(packages), sender))
    process.start()
    before, after = receiver.recv()
    process.join()
    assert not before
    return set(after)


def _import(module: str, packages: tuple[str, ...], sender: Connection) -> None:
    def ours() -> list[str]:
        return [name for name in sys.modules if name.partition(".")[0] in packages]

    before = ours()
    importlib.import_module(module)
    sender.send((before, ours()))


def _run(program: str, arguments: list[str], folder: str, environment: dict[str, str], output: str) -> None:
    os.setsid()
    for target, fd in ((os.open(os.devnull, os.O_RDONLY), 0), (os.open(output, os.O_WRONLY | os.O_CREAT), 1)):
        os.dup2(target, fd)
    os.dup2(1, 2)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    # As Python itself does it for a script: its own folder first, and not the working one.
    sys.path[:] = [str(Path(program).parent), *(path for path in sys.path if path not in ("", _REPOSITORY))]
    sys.argv = [program, *arguments]
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]
    runpy.run_path(program, run_name="__main__")
