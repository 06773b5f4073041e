"""Size and speed of variants, measured in turns in one process, so that noise affects all of them alike.

It is a separate process (`python -m components.optimize.measure job.json`), because the pipeline's own sets TensorFlow
to deterministic operations, which doubles the latency of a convolution and is not what a server does.
"""

import gc
import json
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from components.causes import last_said
from components.config import Section
from components.optimize.table import Measured
from components.optimize.worker import process_environment
from serving.engine.base import Engine
from serving.engine.signature import DEFAULT_SIGNATURE
from serving.garbage import collect_seldom
from serving.process import python_module
from serving.release.digest import model_files

#: Turns of each variant; many short ones, so that a slow second of the machine affects all variants.
ROUNDS = 20
LEAST_CALLS = 5
BATCH = 32
#: Raw requests that latency is measured on, one after the other.
REQUESTS = 64
TIMES = "times.json"

Request = Mapping[str, np.ndarray[Any, Any]]


def sizes(folder: Path) -> tuple[int, int]:
    """Return the bytes of all files of a release, as they are and gzipped in one stream."""
    packer = zlib.compressobj(level=9, wbits=31)
    plain = packed = 0
    for path in model_files(folder).values():
        content = path.read_bytes()
        plain += len(content)
        packed += len(packer.compress(content))
    return plain, packed + len(packer.flush())


class MeasureJob(Section):
    """What the process is to measure: releases by name, on the first examples of some files."""

    folders: dict[str, str]
    files: tuple[str, ...]
    seconds: float


class Measurement:
    """A process that loads the releases immediately, and measures when `result` is called."""

    def __init__(self, job: MeasureJob, folder: Path) -> None:
        self._job = job
        self._folder = folder
        path = folder / "measure.json"
        path.write_text(job.model_dump_json())
        self._log = (folder / "measure-log.txt").open("w")
        self._process = subprocess.Popen(
            python_module("components.optimize.measure", str(path)),
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env=process_environment(),
        )

    def result(self) -> dict[str, Measured]:
        """Measure now, and return sizes and speed by name.

        Raises:
            RuntimeError: the process failed; the message has the end of its log, which TFX removes with the stage.
        """
        self._process.communicate(b"go\n")
        self.close()
        if self._process.returncode:
            said = last_said(Path(self._log.name))
            raise RuntimeError(f"measuring ended with code {self._process.returncode}: {said}")
        times = json.loads((self._folder / TIMES).read_text())
        return {name: _measured(Path(folder), times[name]) for name, folder in self._job.folders.items()}

    def close(self) -> None:
        """End the process, whether it has measured or not; calling it twice is harmless."""
        if self._process.stdin and not self._process.stdin.closed:
            self._process.stdin.close()
        self._process.wait()
        self._log.close()


def _measured(folder: Path, times: dict[str, list[int]]) -> Measured:
    plain, packed = sizes(folder)
    return Measured(
        bytes=plain,
        gzip_bytes=packed,
        p50_us=float(np.percentile(times["one"], 50) / 1e3),
        p99_us=float(np.percentile(times["one"], 99) / 1e3),
        examples_per_second=float(BATCH * 1e9 / np.median(times["many"])),
    )


def main(arguments: Sequence[str]) -> None:
    """Load every release, wait for a line on stdin, time them at batch 1 and 32, write the nanoseconds."""
    collect_seldom()
    from components.raw import raw_inputs, read_examples
    from serving.engine.open import EngineOptions, open_engine

    path = Path(arguments[0])
    job = MeasureJob.model_validate_json(path.read_text())
    shared: dict[str, Engine] = {}
    engines = {
        name: open_engine(Path(folder), EngineOptions(), shared) for name, folder in job.folders.items()
    }
    signature = next(iter(engines.values())).signatures[DEFAULT_SIGNATURE]
    singles = [raw_inputs([example], signature) for example in read_examples(job.files, REQUESTS)]
    batch = raw_inputs(read_examples(job.files, BATCH), signature)
    if len(singles) < BATCH:
        fill = [singles[index % len(singles)] for index in range(BATCH)]
        batch = {name: np.concatenate([one[name] for one in fill]) for name in signature.inputs}
    if not sys.stdin.readline():
        return  # the pipeline has given up
    one, many = _time_all(engines, singles, job.seconds), _time_all(engines, [batch], job.seconds)
    times = {name: {"one": one[name], "many": many[name]} for name in engines}
    (path.parent / TIMES).write_text(json.dumps(times))


def _time_all(
    engines: Mapping[str, Engine], requests: Sequence[Request], seconds: float
) -> dict[str, list[int]]:
    """Return the nanoseconds of each call, by engine."""
    for engine in engines.values():
        for request in requests:  # every shape once: XLA compiles for each
            engine.run(DEFAULT_SIGNATURE, request)
    turns = {name: cycle(requests) for name in engines}
    times: dict[str, list[int]] = {name: [] for name in engines}
    slice_ns = int(seconds / ROUNDS * 1e9)
    collecting = gc.isenabled()
    gc.disable()
    try:
        for _ in range(ROUNDS):
            for name, engine in engines.items():
                times[name] += _turn(engine, turns[name], slice_ns)
    finally:
        if collecting:
            gc.enable()
    return times


def _turn(engine: Engine, requests: Iterator[Request], slice_ns: int) -> list[int]:
    taken: list[int] = []
    engine.run(DEFAULT_SIGNATURE, next(requests))  # caches hold the previous engine's data; not counted
    begun = time.perf_counter_ns()
    while len(taken) < LEAST_CALLS or time.perf_counter_ns() - begun < slice_ns:
        request = next(requests)
        started = time.perf_counter_ns()
        engine.run(DEFAULT_SIGNATURE, request)
        taken.append(time.perf_counter_ns() - started)
    return taken


if __name__ == "__main__":
    main(sys.argv[1:])
