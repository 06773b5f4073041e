"""Builds variants in a process of its own: `python -m components.optimize.worker job.json`.

A converter that crashes takes this process with it and not the run, and the memory of training and conversion
goes when it ends.
"""

import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from components.config import Section
from components.optimize.config import OptimizeConfig
from components.optimize.parent import Parent
from components.push.config import Format

LOG = "log.txt"
log = logging.getLogger("slipway.optimize")


class Job(Section):
    """What the process is asked for: these chains, each into `<folder>/<chain>`."""

    parent: Parent
    config: OptimizeConfig
    push_format: Format
    chains: tuple[str, ...]
    folder: str


class Built(Section):
    """The outcome of one chain: files, or the reason why there are none."""

    chain: str
    skipped: str | None = None
    seconds: float = 0.0


def build_all(parent: Parent, config: OptimizeConfig, push_format: Format, folder: Path) -> list[Built]:
    """Build every configured chain into `<folder>/<chain>`; one that cannot be built is skipped with a reason.

    A chain during which the process dies is skipped too, and the rest is built by a new process.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remaining = list(config.techniques)
    done: list[Built] = []
    while remaining:
        job = Job(
            parent=parent, config=config, push_format=push_format, chains=tuple(remaining), folder=str(folder)
        )
        code = _run(job, folder)
        finished = [built for chain in remaining if (built := _read(folder, chain))]
        done += finished
        remaining = remaining[len(finished) :]
        if remaining:
            done.append(Built(chain=remaining[0], skipped=_in_words(code)))
            shutil.rmtree(folder / remaining[0], ignore_errors=True)
            remaining = remaining[1:]
    for built in done:
        log.info("%s: %s", built.chain, built.skipped or f"built in {built.seconds:.1f} s")
    return done


def _run(job: Job, folder: Path) -> int:
    """Run the process; its exit code."""
    path = folder / "job.json"
    path.write_text(job.model_dump_json())
    with (folder / LOG).open("a") as output:
        return subprocess.run(
            [sys.executable, "-m", "components.optimize.worker", str(path)],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=process_environment(),
            check=False,
        ).returncode


def process_environment() -> dict[str, str]:
    """The environment of a Python process that finds Slipway and uses tf_keras as the pipeline does."""
    environment = {**os.environ, "TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "2"}
    root = str(Path(__file__).parents[2])
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [root, environment.get("PYTHONPATH")]))
    return environment


def _in_words(code: int) -> str:
    died = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
    return f"the process that built it {died}; see {LOG} beside the variants"


def _record(folder: Path, chain: str) -> Path:
    return folder / f"{chain}.json"


def _read(folder: Path, chain: str) -> Built | None:
    path = _record(folder, chain)
    return Built.model_validate_json(path.read_text()) if path.exists() else None


def main(arguments: Sequence[str]) -> None:
    """Build the chains of a job, one after the other, recording each when it is done."""
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    job = Job.model_validate_json(Path(arguments[0]).read_text())
    models: dict[tuple[str, ...], Any] = {}
    for index, chain in enumerate(job.chains):
        started = time.monotonic()
        wanted = {prefix for later in job.chains[index:] for prefix in _prefixes(later)}
        models = {prefix: model for prefix, model in models.items() if prefix in wanted}
        skipped = _build(chain, job, models)
        if skipped:
            shutil.rmtree(Path(job.folder) / chain, ignore_errors=True)
        built = Built(chain=chain, skipped=skipped, seconds=time.monotonic() - started)
        _record(Path(job.folder), chain).write_text(built.model_dump_json())


def _prefixes(chain: str) -> list[tuple[str, ...]]:
    """What a chain goes through: `distilled+int8` through nothing, `distilled`, `distilled+int8`."""
    names = tuple(chain.split("+"))
    return [names[:length] for length in range(len(names) + 1)]


def _build(chain: str, job: Job, models: dict[tuple[str, ...], Any]) -> str | None:
    """Build one chain; the reason where that is not possible.

    `models` holds Keras models by the techniques that made them: `distilled` and `distilled+int8` share a student.
    """
    import traceback

    from components.optimize.parent import load_keras
    from components.optimize.technique import InapplicableError, Work, steps

    try:
        before: tuple[str, ...] = ()
        if before not in models:
            models[before] = load_keras(job.parent)
        for technique in steps(chain, job.config, job.push_format):
            after = (*before, technique.name)
            if after not in models:
                work = Work(job.parent, job.config, Path(job.folder) / chain, before)
                made = technique.build(models[before], work)
                if made is None:
                    break
                models[after] = made
            before = after
    except InapplicableError as reason:
        return str(reason)
    except Exception as error:  # a technique, or the user's, may fail in any way; the run goes on without it
        traceback.print_exc()
        return f"{type(error).__name__}: {str(error).strip().splitlines()[0][:200] if str(error).strip() else ''}"
    return None


if __name__ == "__main__":
    main(sys.argv[1:])
