"""Size and speed of variants, measured side by side in one process, so that noise meets all of them alike."""

import gc
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from components.optimize.table import Measured
from serving.digest import model_files
from serving.engine.base import Engine
from serving.signature import DEFAULT_SIGNATURE

#: Turns that each variant gets; many short ones, so that a slow second of the machine is shared by all.
ROUNDS = 20
LEAST_CALLS = 5
BATCH = 32

Request = Mapping[str, np.ndarray[Any, Any]]


def sizes(folder: Path) -> tuple[int, int]:
    """Bytes of all files of a release, as they are and gzipped in one stream."""
    packer = zlib.compressobj(level=9, wbits=31)
    plain = packed = 0
    for path in model_files(folder).values():
        content = path.read_bytes()
        plain += len(content)
        packed += len(packer.compress(content))
    return plain, packed + len(packer.flush())


def measure(
    engines: Mapping[str, Engine], folders: Mapping[str, Path], singles: Sequence[Request], seconds: float
) -> dict[str, Measured]:
    """Time every engine on the same raw requests, taking turns.

    Args:
        engines: loaded releases by name, as the server loads them.
        folders: their files.
        singles: requests of one example; cycled through, and joined to batches of 32 for the throughput.
        seconds: measured time for each engine, at batch 1 and again at batch 32.
    """
    batch = {
        name: np.concatenate([one[name] for one, _ in zip(cycle(singles), range(BATCH), strict=False)])
        for name in singles[0]
    }
    one = _time_all(engines, list(singles), seconds)
    many = _time_all(engines, [batch], seconds)
    found = {}
    for name in engines:
        plain, packed = sizes(folders[name])
        found[name] = Measured(
            bytes=plain,
            gzip_bytes=packed,
            p50_us=float(np.percentile(one[name], 50) / 1e3),
            p99_us=float(np.percentile(one[name], 99) / 1e3),
            examples_per_second=float(BATCH * 1e9 / np.median(many[name])),
        )
    return found


def _time_all(engines: Mapping[str, Engine], requests: list[Request], seconds: float) -> dict[str, list[int]]:
    """Nanoseconds of each call, by engine."""
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
