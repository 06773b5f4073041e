"""How throughput grows with the server's cores, with default flags.

    python -m benchmarks.serving_cores [--seconds 5] [--cores 1,2]

The server is confined to so many cores (sched_setaffinity, before it starts); the load runs on the others, or, where
none is left, on all. So on a machine of two cores the second row tells what a server and its load come to together,
and the CPU of a request says how much of that is the server's. × is the ratio to the first row of the same run.
"""

import argparse
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks.serving import Result, example, grpc_body, load, own, plain_rest_body

MODELS = {"light": "cnn-saved_model", "heavy": "lstm-saved_model"}
WRITE = (
    "import sys, pathlib; from benchmarks.serving_models import write_models; "
    "write_models(pathlib.Path(sys.argv[1]))"
)


@contextlib.contextmanager
def confined(cores: set[int]) -> Iterator[None]:
    """Let this process, and those that it starts meanwhile, run on these cores only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def measure(folder: Path, model: str, count: int, clients: int, seconds: float) -> dict[str, Result]:
    """Measure one model on a number of cores, by REST and by gRPC."""
    everything = sorted(os.sched_getaffinity(0))
    servers = set(everything[:count])
    alias, value = example(model, 1)
    with contextlib.ExitStack() as stack:
        with confined(servers):
            server = stack.enter_context(own(folder))
        stack.enter_context(confined(set(everything) - servers or set(everything)))
        ports = {"REST": server.rest_port, "gRPC": server.grpc_port}
        bodies = {"REST": plain_rest_body(alias, value), "gRPC": grpc_body(alias, value)}
        return {
            way: load(
                server.process.pid,
                f"{folder.name} {way} {count} cores",
                bodies[way],
                clients,
                seconds,
                f"--port={port}",
                *(["--grpc"] if way == "gRPC" else []),
            )
            for way, port in ports.items()
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--cores", default="1,2")
    parser.add_argument("--only", default=",".join(MODELS), help=f"a comma list of {', '.join(MODELS)}")
    parser.add_argument("--models", default="/tmp/slipway-benchmark-models")
    options = parser.parse_args()
    subprocess.run([sys.executable, "-c", WRITE, options.models], check=True, stderr=subprocess.DEVNULL)
    counts = [int(text) for text in options.cores.split(",")]
    available = len(os.sched_getaffinity(0))
    if max(counts) > available:
        parser.error(f"--cores={options.cores}: this machine has {available}")
    print(f"{available} cores, {options.clients} clients, batch 1")
    for kind in options.only.split(","):
        folder = Path(options.models) / MODELS[kind]
        first: dict[str, Result] = {}
        for count in counts:
            found = measure(folder, folder.name.partition("-")[0], count, options.clients, options.seconds)
            first = first or found
            for way, one in found.items():
                print(
                    f"{kind:6} {way:5} {count:2} cores  {one.per_second:8.0f} req/s  "
                    f"{one.per_second / first[way].per_second:5.2f} ×  p50 {one.p50:8.2f}  p99 {one.p99:8.2f} ms  "
                    f"CPU {one.cpu_us:7.0f} µs  {one.failures} failed",
                    flush=True,
                )
    print(f"load average {psutil.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
