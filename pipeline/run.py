"""One run from configuration to answer: what `python run_local.py` and `slipway run` do."""

import gc
import logging
import os
import shlex
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from components.names import DATA_GATE, TRADEOFF_FILE
from components.train import worker
from components.train.distribute import ClusterError, read_cluster
from pipeline import beam, commands, early
from pipeline.config import Config
from pipeline.progress import Progress, working
from pipeline.quiet import prepare_tensorflow, quiet
from pipeline.summary import Outcome, StageRecord, Summary, new_run_id, write_summary
from serving.garbage import collect_seldom
from serving.version import commit, version

#: Exit codes by outcome: a script can tell a refused model from a broken run.
EXIT_CODES: dict[Outcome, int] = {"pushed": 0, "unchanged": 0, "withdrawn": 3, "refused": 3, "failed": 1}


@dataclass
class _Ending:
    outcome: Outcome
    message: str
    version: int | None = None


def run(config: Config, config_path: str, overrides: Sequence[str] = ()) -> int:
    """Run the whole pipeline on this machine, showing its progress; returns the exit code.

    Everything that libraries print goes to `runs/<id>/log.txt`. A run that fails, is refused, or is killed leaves
    nothing incomplete in the bucket, and the next run continues after the last stage that finished.

    Args:
        config: of the run.
        config_path: where it was read.
        overrides: as `--set` gave them; they are in `config` already.

    Raises:
        ConfigError: Beam and TFX cannot write to `pipeline_root`, or a file of the user's is not there; nothing was
            done.
        DataError: the first CSV file is not there, or lacks a column that is read; nothing was done.
        SchemaError: data.classes is not what the kept schema says; nothing was done.
        RunnerError: the Beam runner's job server does not answer; nothing was done.
        ClusterError: TF_CONFIG does not make this the chief of the configured workers; nothing was done.
    """
    beam.check(config.beam)
    if config.train.strategy == "multi_worker_mirrored" and not read_cluster(os.environ).is_chief:
        raise ClusterError(
            "TF_CONFIG makes this a worker, but the pipeline runs on the chief: run slipway train-worker here"
        )
    early.check(config, config_path, overrides)
    run_id = new_run_id(config.model_name)
    folder = Path(config.runs) / run_id
    started, clock = datetime.now(), time.monotonic()
    prepare_tensorflow()
    collect_seldom()
    with quiet(folder / "log.txt") as console:
        console.print(Text(f"slipway  {config.model_name}  {config_path}  log: {folder}/log.txt", "bold"))
        with working(console, "loading TensorFlow and TFX"):
            from pipeline import local
            from pipeline.graph import make_pipeline

            gc.freeze()  # nothing of what is imported is ever freed
            pipeline = make_pipeline(config)
        result = local.Result()
        progress = Progress.of(console, local.stage_names(pipeline))
        try:
            with local.only_run(config.root), progress:
                local.run(pipeline, progress, result)
                ending = _ending(result, progress)
        except local.StageFailedError as error:
            logging.getLogger("slipway.run").exception("%s failed", error.stage)
            ending = _Ending("failed", _reason(error, config.beam))
        except local.BusyError as error:
            console.print(Text(str(error), "bold red"))
            return 1
        summary = Summary(
            run_id=run_id,
            model_name=config.model_name,
            config=config_path,
            overrides=tuple(overrides),
            bucket=config.push.bucket,
            started=started.isoformat(timespec="seconds"),
            seconds=time.monotonic() - clock,
            outcome=ending.outcome,
            message=ending.message,
            version=ending.version,
            stages=tuple(
                StageRecord(name=s.name, status=s.status, seconds=s.seconds, message=s.message)
                for s in progress.stages
            ),
            verdicts=tuple(result.verdicts),
            outputs=result.outputs,
            slipway_version=version(),
            commit=commit(),
        )
        write_summary(summary, config.runs)
        _keep_picture(result.outputs, folder)
        if ending.version is not None and config.serve.examples and ending.outcome in ("pushed", "unchanged"):
            _demonstrate(console, config, result.outputs, folder)
        _close(console, summary, time.monotonic() - clock, folder)
    return EXIT_CODES[ending.outcome]


def train_worker(config: Config, patience: float) -> None:
    """Train beside the chief, until it is done.

    Args:
        config: the chief's configuration; `pipeline_root` is a folder that all workers share.
        patience: seconds to wait until the chief trains.

    Raises:
        ClusterError: TF_CONFIG is missing or malformed, or makes this the chief.
        WorkerError: the chief did not start.
    """
    if read_cluster(os.environ).is_chief:
        raise ClusterError("TF_CONFIG makes this the chief, where the pipeline runs: run slipway run here")
    prepare_tensorflow()
    logging.basicConfig(stream=sys.stdout, format="%(message)s")
    logging.getLogger("slipway.train").setLevel(logging.INFO)
    worker.follow(config.checkpoint_folder.absolute(), patience)


def _reason(error: Any, config: beam.BeamConfig) -> str:
    """Say that the job server is gone, if it is: Beam's own error is only about a stream of gRPC."""
    try:
        beam.check(config)
    except beam.RunnerError as gone:
        return f"{error.stage}: the Beam runner was lost: {gone}"
    return str(error)


def _ending(result: Any, progress: Progress) -> _Ending:
    """Determine the outcome of the run: a refusal, a push, or nothing new."""
    pushed = result.pushed
    if pushed is None:
        return _Ending("refused", f"{result.stopped_by} {result.verdicts[-1].headline()}")
    if pushed.version is None:
        return _Ending("withdrawn", pushed.message)
    new = pushed.written and progress.stages[-1].status == "done"
    return _Ending("pushed" if new else "unchanged", pushed.message, pushed.version)


def _keep_picture(outputs: dict[str, dict[str, str]], folder: Path) -> None:
    """Put the picture of the variants beside the run's log, where people look for it."""
    picture = Path(outputs.get("Optimizer", {}).get("optimization", "")) / TRADEOFF_FILE
    if picture.is_file():
        shutil.copyfile(picture, folder / TRADEOFF_FILE)


def _demonstrate(console: Console, config: Config, outputs: dict[str, dict[str, str]], folder: Path) -> None:
    """Serve the release and request predictions. A failure is only shown: the model is released anyway."""
    from pipeline import demo

    console.print()
    try:
        with working(console, "starting the model server"):
            table = demo.demonstrate(config, outputs, folder)
    except Exception as error:
        console.print(Text(f"The demonstration failed; the release is not affected: {error}", "bold yellow"))
        return
    console.print(Text("Served from the bucket, with answers to real examples:", "bold"))
    console.print(table)


def _close(console: Console, summary: Summary, seconds: float, folder: Path) -> None:
    """Print what happened, where it is, and what to type next."""
    cached = sum(stage.status == "cached" for stage in summary.stages)
    ran = sum(stage.status in ("done", "refused", "failed", "unchanged") for stage in summary.stages)
    base = f"{summary.bucket.rstrip('/')}/{summary.model_name}"
    where = {
        "pushed": f"{base}/{summary.version}",
        "unchanged": f"{base}/{summary.version} (nothing pushed: the model is the same)",
        "withdrawn": "nothing pushed",
        "refused": "nothing pushed; the bucket is unchanged",
        "failed": f"nothing pushed; the log says more: {folder}/log.txt",
    }[summary.outcome]
    good = summary.outcome in ("pushed", "unchanged")
    lines = Text()
    lines.append(f"{summary.message}\n", "bold green" if good else "bold red")
    lines.append(f"{where}\n")
    if (folder / TRADEOFF_FILE).is_file():
        lines.append(f"the variants as a picture: {folder}/{TRADEOFF_FILE}\n")
    lines.append(f"{cached} stages cached, {ran} run, {seconds:.1f} s in total", "dim")
    console.print()
    if console.is_terminal:
        console.print(
            Panel(lines, title=summary.outcome, border_style="green" if good else "red", expand=False)
        )
    else:
        console.print(Text(f"{summary.outcome}: ") + lines, soft_wrap=True)
    # Not in the panel, whose border would be copied with a long command.
    console.print(Text("\nnext  " + "\n      ".join(_next(summary, _absolute(base)))), soft_wrap=True)


def _next(summary: Summary, base: str) -> list[str]:
    """List what to type next, for the shell."""

    def command(name: str) -> str:
        return commands.slipway(name, summary.config, summary.overrides)

    if summary.outcome in ("pushed", "unchanged"):
        served = (
            f"--model_name={summary.model_name} --model_base_path={shlex.quote(base)} --rest_api_port=8501"
        )
        return [command("why"), command("versions"), f"{commands.program()} serve {served}"]
    if summary.outcome == "withdrawn":
        return [command("versions")]
    if summary.outcome == "refused":
        if summary.verdicts[-1].gate != DATA_GATE:
            return [command("why")]
        return [
            f"{command('schema --diff')}   # how data and schema differ, by column",
            f"{command('schema --update')}   # if the data is right: takes it into the schema",
            command("why"),
        ]
    again = f"python run_local.py{commands.options(summary.config, summary.overrides)}"
    return [f"{again}   # continues at the stage that failed"]


def _absolute(url: str) -> str:
    return url if "://" in url else str(Path(url).absolute())
