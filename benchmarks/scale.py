"""How Ingest, StatisticsGen and Transform grow with the rows, in process and on a Flink here.

`python -m benchmarks.scale --rows 10000 100000 1000000 --runners direct flink`

Synthetic images of 28×28, PNG in TFRecord, in eight files. Every measurement is a process of its own, from empty
folders; its peak memory is the operating system's figure. Flink runs inside Beam's job server, with its Python workers
inside the measured process (LOOPBACK); the JVM has a column of its own.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.pipeline_overhead import REPOSITORY, measure
from pipeline.flink.config import Settings
from pipeline.flink.processes import down, up

CONFIG = REPOSITORY / "configs" / "mnist.yaml"
FILES = 8
#: A million rows make 3.2 GB in Transform: below 1 GB a partition, and all of it in the heap (docs/scale.md).
PARALLELISM, HEAP = 4, "6g"
#: All up to Transform; the small ones between cost nothing, and their order is that of the graph.
STAGES = ("Ingest", "StatisticsGen", "SchemaGen", "ExampleValidator", "DataGate", "Transform")
SHOWN = ("Ingest", "StatisticsGen", "Transform")
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
console = Console(highlight=False, width=120)


def write(folder: Path, rows: int) -> None:
    """Write the images: a pattern for each of ten classes, noise, and the row's number, so that no two are equal."""
    import numpy as np
    import tensorflow as tf

    generator = np.random.default_rng(1)
    patterns = generator.integers(0, 2, (10, 28, 28), np.uint8) * 160
    noise = generator.integers(0, 64, (64, 28, 28), np.uint8)
    encode = tf.function(lambda image: tf.io.encode_png(image[:, :, None]))
    folder.mkdir()
    for index in range(FILES):
        with tf.io.TFRecordWriter(str(folder / f"part-{index}.tfrecord")) as writer:
            for row in range(index, rows, FILES):
                image = patterns[row % 10] + noise[row % 64]
                image[0, :4] = np.frombuffer(row.to_bytes(4, "little"), np.uint8)
                feature = {
                    "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[encode(image).numpy()])),
                    "label": tf.train.Feature(bytes_list=tf.train.BytesList(value=[str(row % 10).encode()])),
                }
                example = tf.train.Example(features=tf.train.Features(feature=feature))
                writer.write(example.SerializeToString())


def stages(data: Path, folder: Path, endpoint: str | None) -> None:
    """Run the stages in this process, and write their seconds to `seconds.json`."""
    from pipeline import local
    from pipeline.config import load_config
    from pipeline.graph import make_pipeline
    from pipeline.progress import Progress
    from pipeline.quiet import quiet

    overrides = [
        f"data={{format: tfrecord, path: {data}, label: label, classes: {[str(n) for n in range(10)]}}}",
        f"pipeline_root={folder}/artifacts",
        f"push.bucket={folder}/bucket",
    ]
    if endpoint:
        overrides += ["beam.runner=flink", f"beam.options.flink.job_endpoint={endpoint}"]
    with quiet(folder / "log.txt") as screen:
        pipeline = make_pipeline(load_config(CONFIG, overrides))
        progress = Progress.of(screen, local.stage_names(pipeline))
        local.run(pipeline, progress, local.Result(), only=STAGES)
    seconds = {stage.name: stage.seconds for stage in progress.stages if stage.name in SHOWN}
    (folder / "seconds.json").write_text(json.dumps(seconds))


@contextmanager
def _runner(name: str, folder: Path) -> Iterator[tuple[str | None, int | None]]:
    """Yield the job endpoint and the JVM's pid, with a Flink just started; nothing for the direct runner."""
    if name == "direct":
        yield None, None
        return
    running = up(Settings(parallelism=PARALLELISM, heap=HEAP), folder)
    try:
        yield running.settings.job_endpoint, running.processes[0].pid
    finally:
        down(folder)


def _peak(pid: int) -> float:
    """The most memory that a process has held, MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--runners", nargs="+", choices=("direct", "flink"), default=["direct", "flink"])
    parser.add_argument("--stages", nargs=3, help=argparse.SUPPRESS)  # data, folder, endpoint: the child
    options = parser.parse_args()
    if options.stages:
        data, folder, endpoint = options.stages
        stages(Path(data), Path(folder), endpoint or None)
        return
    table = Table(title=f"{os.cpu_count()} cores, {PARALLELISM} partitions on Flink: seconds (rows a second)")
    for heading in ("runner", "rows", *SHOWN, "CPU s", "peak MiB", "JVM peak MiB"):
        table.add_column(heading, justify="left" if heading == "runner" else "right")
    for rows in options.rows:
        with tempfile.TemporaryDirectory() as name:
            scratch = Path(name)
            write(scratch / "data", rows)
            for runner in options.runners:
                folder = scratch / runner
                folder.mkdir()
                with _runner(runner, folder / "flink") as (endpoint, jvm):
                    child = [str(scratch / "data"), str(folder), endpoint or ""]
                    command = [sys.executable, "-m", "benchmarks.scale", "--stages", *child]
                    cost = measure(command, folder / "child.txt")
                    memory = f"{_peak(jvm):.0f}" if jvm else ""
                seconds = json.loads((folder / "seconds.json").read_text())
                times = [f"{seconds[name]:.1f} ({rows / seconds[name]:,.0f})" for name in SHOWN]
                cells = (runner, f"{rows:,}", *times, f"{cost.cpu:.0f}", f"{cost.peak:.0f}", memory)
                table.add_row(*cells)
                # Each at once: the next may take minutes.
                print(" ".join(cells), file=sys.stderr, flush=True)
    console.print(table)


if __name__ == "__main__":
    main()
