"""Building variants in a separate process: `python -m components.optimize.worker job.json`.

A converter that crashes ends this process and not the run, and the memory of training and conversion is freed when it
ends.
"""

import logging
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from components.causes import last_said, root_cause
from components.config import Section
from components.optimize.config import OptimizeConfig
from components.optimize.parent import Parent
from components.push.config import PushFormat
from serving.garbage import collect_seldom
from serving.process import environment, python_module

LOG = "log.txt"
log = logging.getLogger("slipway.optimize")


class BuildJob(Section):
    """What the process is to build: chains, each in `<folder>/<chain>`."""

    parent: Parent
    config: OptimizeConfig
    push_format: PushFormat
    chains: tuple[str, ...]
    folder: str


class Built(Section):
    """The outcome of one chain: built, or the reason why it was skipped."""

    chain: str
    skipped: str | None = None
    seconds: float = 0.0


def build_all(parent: Parent, config: OptimizeConfig, push_format: PushFormat, folder: Path) -> list[Built]:
    """Build every configured chain into `<folder>/<chain>`; one that cannot be built is skipped with a reason.

    A chain during which the process dies is skipped too, and the rest is built by a new process.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remaining = list(config.techniques)
    done: list[Built] = []
    while remaining:
        job = BuildJob(
            parent=parent, config=config, push_format=push_format, chains=tuple(remaining), folder=str(folder)
        )
        code, said = _run(job, folder)
        finished = [built for chain in remaining if (built := _read(folder, chain))]
        done += finished
        remaining = remaining[len(finished) :]
        if remaining:
            done.append(Built(chain=remaining[0], skipped=_in_words(code, said)))
            shutil.rmtree(folder / remaining[0], ignore_errors=True)
            remaining = remaining[1:]
    for built in done:
        log.info("%s: %s", built.chain, built.skipped or f"built in {built.seconds:.1f} s")
    return done


def _run(job: BuildJob, folder: Path) -> tuple[int, str]:
    """Run the process, and return its exit code and the last that it printed."""
    path = folder / "job.json"
    path.write_text(job.model_dump_json())
    with (folder / LOG).open("a") as output:
        before = output.tell()
        code = subprocess.run(
            python_module("components.optimize.worker", str(path)),
            stdout=output,
            stderr=subprocess.STDOUT,
            env=process_environment(),
            check=False,
        ).returncode
    return code, last_said(folder / LOG, before)


def process_environment() -> dict[str, str]:
    """Return the environment of a process of ours that uses tf_keras as the pipeline does."""
    return environment(TF_USE_LEGACY_KERAS="1", TF_CPP_MIN_LOG_LEVEL="2")


def _in_words(code: int, said: str) -> str:
    died = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
    return f"the process that built it {died}: {said}"


def _record(folder: Path, chain: str) -> Path:
    return folder / f"{chain}.json"


def _read(folder: Path, chain: str) -> Built | None:
    path = _record(folder, chain)
    return Built.model_validate_json(path.read_text()) if path.exists() else None


def main(arguments: Sequence[str]) -> None:
    """Build the chains of a job, one after the other, recording each when it is done."""
    collect_seldom()
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    job = BuildJob.model_validate_json(Path(arguments[0]).read_text())
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
    """List the stages of a chain: of `distilled+int8` the float model, `distilled`, and `distilled+int8`."""
    names = tuple(chain.split("+"))
    return [names[:length] for length in range(len(names) + 1)]


def _build(chain: str, job: BuildJob, models: dict[tuple[str, ...], Any]) -> str | None:
    """Build one chain; return the reason if that is not possible.

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
    except Exception as error:  # a technique, the user's too, may fail in any way; the run goes on without it
        traceback.print_exc()
        return root_cause(error)[:200]
    return None


if __name__ == "__main__":
    main(sys.argv[1:])
