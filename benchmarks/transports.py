"""What our HTTP/1.1 and HTTP/2 cost beside uvicorn, h2 and grpc.aio: the same calls, answered by the same application.

    python -m benchmarks.transports [--seconds 4] [--rounds 3]

Closed loop of 32 clients in another process, the digits CNN as a SavedModel. The transports take turns, and the figure
is the CPU of the server's process for a request; the ratio is to ours in the same round.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.serving import example, grpc_body, load, plain_rest_body
from benchmarks.serving_peers import environment_of, wait_for
from serving.client.local import serve

OURS = {"REST": "http1", "gRPC": "http2"}
OTHERS = {"REST": ("uvicorn",), "gRPC": ("h2", "grpc.aio")}
PATH = "/v1/models/default:predict"


@contextmanager
def served(transport: str, base_path: Path) -> Iterator[tuple[int, int]]:
    """Run the application behind a transport; gives its process and its port."""
    program = [str(environment_of("transports")), "-P", "-m", "benchmarks.transport_servers", transport]
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(scratch) / "log.txt"
        with serve(lambda _, port: [*program, str(base_path), str(port)], log) as server:
            wait_for(server, PATH, speaks_http1=transport in ("http1", "uvicorn"))
            yield server.process.pid, server.rest_port


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--models", default=str(Path(tempfile.gettempdir()) / "slipway-benchmark-models"))
    options = parser.parse_args()
    write = "import sys, pathlib; from benchmarks.serving_models import write_models; "
    subprocess.run(
        [sys.executable, "-c", write + "write_models(pathlib.Path(sys.argv[1]))", options.models],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    base = Path(options.models) / "cnn-saved_model"
    print(f"{'calls':16}{'transport':12}{'CPU a request':>16}{'of ours':>12}{'requests/s':>14}{'p99':>12}")
    for way, ours in OURS.items():
        for rows in (1, 32):
            alias, value = example("cnn", rows)
            body = (plain_rest_body if way == "REST" else grpc_body)(alias, value)
            flags = ("--grpc",) if way == "gRPC" else ()
            results: dict[str, list[tuple[float, float, float]]] = {}
            for _ in range(options.rounds):
                for transport in (ours, *OTHERS[way]):
                    with served(transport, base) as (pid, port):
                        name = f"{way} {transport}"
                        got = load(
                            pid, name, body, options.clients, options.seconds, "--port", str(port), *flags
                        )
                    results.setdefault(transport, []).append((got.cpu_us, got.per_second, got.p99))
            for transport, rounds in results.items():
                ratio = statistics.median(
                    cpu / own for (cpu, _, _), (own, _, _) in zip(rounds, results[ours], strict=True)
                )
                cpu, per_second, p99 = (statistics.median(values) for values in zip(*rounds, strict=True))
                print(
                    f"{way} batch {rows:<4}  {transport:12}{cpu:13.0f} µs{ratio:11.2f} ×{per_second:14,.0f}"
                    f"{p99:9.1f} ms",
                    flush=True,
                )


if __name__ == "__main__":
    main()
