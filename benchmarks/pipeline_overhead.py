"""What the pipeline costs beside a bare Keras script.

`python -m benchmarks.pipeline_overhead --config configs/mnist.yaml`; another configuration of images will do.

Both train the same network on the same data for the same epochs, one after the other, each as a process of its own
whose wall time, CPU time and peak memory the operating system accounts. Prints a table of stages, the ratio, a
cached run, and with `--growth` how time and memory grow with the rows (1×, 4×, 16×).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pipeline.config import Config, load_config
from pipeline.quiet import quiet
from pipeline.summary import Summary, read_summary

REPOSITORY = Path(__file__).resolve().parent.parent
console = Console(highlight=False, width=110)


@dataclass(frozen=True)
class Cost:
    """What one process took: seconds of wall and CPU time, and MiB at its peak."""

    wall: float
    cpu: float
    peak: float


def measure(command: list[str], log: Path) -> Cost:
    """Run a command to its end.

    Raises:
        SystemExit: it failed; names its log.
    """
    import time

    begun = time.monotonic()
    with log.open("ab") as sink:
        process = subprocess.Popen(
            command, cwd=REPOSITORY, stdout=sink, stderr=sink, stdin=subprocess.DEVNULL
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}; see {log}")
    return Cost(time.monotonic() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def overrides(folder: Path, epochs: int, data: Path | None = None, optimized: bool = True) -> list[str]:
    """What both sides share, and where this run writes. Any bound would do: speed is measured, not quality."""
    sets = [
        f"train.epochs={epochs}",
        "train.early_stopping_patience=null",
        "evaluate.thresholds=[{metric: accuracy, lower_bound: 0.2}]",
        "serve.examples=0",
        f"push.bucket={folder}/bucket",
        f"pipeline_root={folder}/artifacts",
        f"runs={folder}/runs",
        *([] if optimized else ["optimize.enabled=false", "canary.enabled=false"]),
        *([f"data.path={data}", "data.make=null"] if data else []),
    ]
    return [part for override in sets for part in ("--set", override)]


def pipeline(
    config: str, folder: Path, epochs: int, data: Path | None = None, optimized: bool = True
) -> tuple[Cost, Summary]:
    """Run the pipeline, with or without the stages that the script has nothing like, and read its own record."""
    folder.mkdir(exist_ok=True)
    cost = measure(
        [sys.executable, "run_local.py", "--config", config, *overrides(folder, epochs, data, optimized)],
        folder / "log.txt",
    )
    return cost, read_summary(folder / "runs")


def bare(config: Config, folder: Path, epochs: int, data: Path) -> Cost:
    """Run the script that does the same by hand."""
    command = [sys.executable, "-m", "benchmarks.bare_keras", f"--data={data}", f"--epochs={epochs}"]
    command += [f"--batch-size={config.train.batch_size}", f"--output={folder}/bare"]
    command += [f"--hyperparameters={json.dumps(config.model.hyperparameters)}"]
    return measure(command, folder / "bare.txt")


def copies(source: Path, times: int, target: Path) -> Path:
    """Write a TFRecord file's rows several times over, each copy with an index so that no two rows are equal."""
    import tensorflow as tf

    target.mkdir()
    with tf.io.TFRecordWriter(str(target / "rows.tfrecord")) as writer:
        for copy in range(times):
            for file in sorted(path for path in source.rglob("*") if path.is_file()):
                compression = "GZIP" if file.name.endswith(".gz") else ""
                for record in tf.data.TFRecordDataset([str(file)], compression).as_numpy_iterator():
                    example = tf.train.Example.FromString(record)
                    example.features.feature["copy"].int64_list.value.append(copy)
                    writer.write(example.SerializeToString())
    return target


def compare(path: str, epochs: int | None) -> None:
    """Print the pipeline's cost beside the script's."""
    config = load_config(path)
    epochs = epochs or config.train.epochs
    if config.data.path is None or config.preprocess.module != "image":
        raise SystemExit(
            f"{path}: the bare script knows images of one data.path only; try configs/mnist.yaml"
        )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        full, summary = pipeline(path, folder / "full", epochs)
        cached, again = pipeline(path, folder / "full", epochs)
        spine, _ = pipeline(path, folder / "spine", epochs, optimized=False)
        script = bare(config, folder, epochs, REPOSITORY / config.data.path)
    stages = Table(title=f"{path}, {epochs} epochs: seconds by stage")
    stages.add_column("stage")
    stages.add_column("first run", justify="right")
    stages.add_column("again", justify="right")
    for one, two in zip(summary.stages, again.stages, strict=True):
        stages.add_row(one.name, f"{one.seconds:.1f}", f"{two.seconds:.1f} ({two.status})")
    imports = [
        cost.wall - sum(s.seconds for s in run.stages) for cost, run in ((full, summary), (cached, again))
    ]
    stages.add_row("imports and the rest", *(f"{seconds:.1f}" for seconds in imports))
    console.print(stages)
    totals = Table(title="whole processes")
    for heading in ("", "wall s", "CPU s", "peak MiB"):
        totals.add_column(heading, justify="right" if heading else "left")
    costs = {
        "bare script": script,
        "pipeline": full,
        "pipeline without Optimizer and Canary": spine,
        "pipeline, everything cached": cached,
    }
    for label, cost in costs.items():
        ratios = (cost.wall / script.wall, cost.cpu / script.cpu, cost.peak / script.peak)
        values = (f"{cost.wall:.1f}", f"{cost.cpu:.1f}", f"{cost.peak:.0f}")
        shown = [f"{value} ({ratio:.2f}×)" for value, ratio in zip(values, ratios, strict=True)]
        totals.add_row(label, *shown)
    console.print(totals)


def growth() -> None:
    """Print how the pipeline's time and memory grow with the rows of the digits, at two epochs."""
    path = "configs/digits.yaml"
    config = load_config(path)
    assert config.data.path is not None
    if not (REPOSITORY / config.data.path).exists():
        from data.digits import write

        write(str(REPOSITORY / config.data.path))
    table = Table(title="digits, 2 epochs: growth with the rows")
    for heading in ("rows", "wall s", "CPU s", "peak MiB", "peak / peak at 1×"):
        table.add_column(heading, justify="right")
    first = None
    for times in (1, 4, 16):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            with quiet(folder / "copies.txt"):
                data = copies(REPOSITORY / config.data.path, times, folder / "data")
            cost, summary = pipeline(path, folder, 2, data)
            rows = json.loads((Path(summary.outputs["Ingest"]["examples"]) / "ingest.json").read_text())[
                "rows"
            ]
        first = first or cost
        table.add_row(
            f"{sum(rows.values()):,}",
            f"{cost.wall:.1f}",
            f"{cost.cpu:.1f}",
            f"{cost.peak:.0f}",
            f"{cost.peak / first.peak:.2f}×",
        )
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", default="configs/digits.yaml")
    parser.add_argument("--epochs", type=int, help="the same for both (default: the configuration's)")
    parser.add_argument("--growth", action="store_true", help="measure 1×, 4× and 16× the rows instead")
    options = parser.parse_args()
    if options.growth:
        growth()
    else:
        compare(options.config, options.epochs)


if __name__ == "__main__":
    main()
