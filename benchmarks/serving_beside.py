"""How long a light model's clients wait while others keep the server busy.

    python -m benchmarks.serving_beside [--seconds 10] [--only json,bomb]

The light model is asked 50 times a second by REST and as often by gRPC, each request timed from when it was due. First
alone, then beside one client of each kind of `benchmarks.disturbers`, which sends its next request when it has the
answer to the last; × is the ratio to the p99 alone in the same run. The clients share the machine with the server:
those that disturb run at a low priority, as if they were elsewhere.
"""

import argparse
import contextlib
import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from serving.client.local import ServerProcess, own_server, serve, wait_until_ready
from serving.process import environment, python_module

KINDS = {
    "heavy": "a heavy model's calls (a loop of 100,000 steps)",
    "json": "bodies of 30 MB of JSON",
    "wrong": "the same with a wrong value last",
    "bomb": "gzip bombs (99 MiB taken, 1 GiB refused)",
    "png": "pictures of 36 megapixels",
}
WAYS = ("light REST", "light gRPC")


@dataclass(frozen=True)
class Waiting:
    """How long clients waited, in milliseconds."""

    count: int
    p50: float
    p99: float
    longest: float
    failures: tuple[str, ...]


def waiting(latencies: list[float], failures: list[str]) -> Waiting:
    p50, p99 = np.percentile(latencies, [50, 99]) if latencies else (float("inf"), float("inf"))
    return Waiting(len(latencies), float(p50), float(p99), max(latencies, default=0.0), tuple(failures))


@contextlib.contextmanager
def several(*names: str) -> Iterator[tuple[ServerProcess, Path]]:
    """Serve some of the small models; gives the server and the folder with a folder for each model."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        subprocess.run(
            python_module("benchmarks.small_models", scratch),
            check=True,
            env=environment(),
            stderr=subprocess.DEVNULL,
        )
        config = folder / "models.config"
        config.write_text(configuration(folder, *names))
        with serve(own_server(f"--model_config_file={config}"), folder / "log.txt") as server:
            for name in names:
                wait_until_ready(server, name, 120)
            yield server, folder


def configuration(folder: Path, *names: str) -> str:
    """Return the text of a ModelServerConfig."""
    models = "".join(
        f'config {{ name: "{name}" base_path: "{folder / name}" model_platform: "tensorflow" }}\n'
        for name in names
    )
    return f"model_config_list {{\n{models}}}\n"


def client(module: str, server: ServerProcess, *arguments: str) -> "subprocess.Popen[str]":
    """Start one of the clients' processes."""
    ports = (f"--rest_port={server.rest_port}", f"--grpc_port={server.grpc_port}")
    command = python_module(f"benchmarks.{module}", *ports, *arguments)
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())


def paced(server: ServerProcess, seconds: float) -> Mapping[str, Waiting]:
    """Ask the light model at its pace for a while."""
    with client("serving_paced", server, f"--seconds={seconds}") as process:
        said, _ = process.communicate()
    lines = [json.loads(line) for line in said.splitlines()]
    return {line["way"]: waiting(line["latencies"], line["failures"]) for line in lines}


def show(name: str, seen: Mapping[str, Waiting], alone: Mapping[str, Waiting]) -> None:
    for way in WAYS:
        one = seen[way]
        print(
            f"{name:52} {way:11} p50 {one.p50:7.2f}  p99 {one.p99:8.2f}  max {one.longest:8.2f} ms  "
            f"{one.p99 / alone[way].p99:6.2f} × p99 alone  {len(one.failures)} of {one.count} failed",
            flush=True,
        )
        if one.failures:
            print("   the first failure:", one.failures[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--only", default=",".join(KINDS), help=f"a comma list of {', '.join(KINDS)}")
    options = parser.parse_args()
    with several("light", "heavy", "wide", "picture") as (server, _):
        paced(server, 2)
        before = paced(server, options.seconds)
        show("alone", before, before)
        for kind in options.only.split(","):
            disturber = client(
                "disturbers", server, f"--kinds={kind}", f"--seconds={options.seconds + 3}", "--pause=0.01"
            )
            # Its bodies are made, and the workers of large ones are up.
            with contextlib.suppress(subprocess.TimeoutExpired):
                disturber.wait(2)
            seen = paced(server, options.seconds)
            done = json.loads(disturber.communicate()[0])
            show(f"{KINDS[kind]}", seen, before)
            print(f"   meanwhile: {done}; the server has {memory(server) >> 20} MiB", flush=True)
        after = paced(server, options.seconds)
        show("alone, afterwards", after, before)
        print(f"load average {psutil.getloadavg()[0]:.1f}")


def memory(server: ServerProcess) -> int:
    """Return the resident bytes of the server and its workers."""
    process = psutil.Process(server.process.pid)
    total = 0
    for one in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += one.memory_info().rss
    return total


if __name__ == "__main__":
    main()
