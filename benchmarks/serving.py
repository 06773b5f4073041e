"""How fast the model server is, against the same engine called in process and against other servers.

    python -m benchmarks.serving [--seconds 4] [--peers mosec,litserve,…] [--only cnn-saved_model]

Closed loop from another process. On a machine of few cores the load shares them with the server, so CPU per
request is the figure to trust, and the ratios within one run.
"""

import argparse
import base64
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from benchmarks.serving_peers import PEERS, start_peer
from serving.client.local import ServerProcess, own_server, serve, wait_until_ready
from serving.engine.open import EngineOptions, open_engine
from serving.messages.dtypes import Array
from serving.messages.protos import predict_pb2
from serving.messages.tensors import to_proto

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Result:
    """One measurement."""

    name: str
    per_second: float
    p50: float
    p99: float
    cpu_us: float
    failures: int


def example(model: str, rows: int) -> tuple[str, Array]:
    """An input of the model, the same in every run."""
    random = np.random.default_rng(7)
    if model == "cnn":
        return "image", random.random((rows, 8, 8, 1), np.float32)
    return "words", random.integers(1, 10_000, (rows, 500), np.int64)


def in_process(folder: Path, model: str, rows: int, seconds: float) -> float:
    """CPU µs of one call of the engine itself, in one thread."""
    engine = open_engine(folder / "1", EngineOptions())
    alias, value = example(model, rows)
    for _ in range(5):
        engine.run("serving_default", {alias: value})
    calls, started, until = 0, time.process_time(), time.perf_counter() + seconds
    while time.perf_counter() < until:
        engine.run("serving_default", {alias: value})
        calls += 1
    used = time.process_time() - started
    engine.close()
    return used / calls * 1e6


def load(pid: int, name: str, body: bytes, clients: int, seconds: float, *arguments: str) -> Result:
    """Runs the load and reads the server's CPU before and after, children included."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(base64.b64encode(body))
        file.flush()
        command = [sys.executable, "-m", "benchmarks.serving_load", "--body", file.name, *arguments]
        subprocess.run(
            [*command, "--clients", str(clients), "--seconds", "1"], check=True, stdout=subprocess.DEVNULL
        )
        before = _cpu(pid)
        done = subprocess.run(
            [*command, "--clients", str(clients), "--seconds", str(seconds)],
            check=True,
            stdout=subprocess.PIPE,
        )
        used = _cpu(pid) - before
    said = json.loads(done.stdout)
    if said["failures"]:
        print(f"  {name}: {said['failures']} failures, the first: {said['first_failure']}", file=sys.stderr)
    return Result(
        name,
        said["requests"] / said["seconds"],
        said["p50"],
        said["p99"],
        used / said["requests"] * 1e6,
        said["failures"],
    )


def rest_body(alias: str, value: Array) -> bytes:
    return json.dumps({"instances": [{alias: row} for row in value.tolist()]}).encode()


def plain_rest_body(alias: str, value: Array) -> bytes:
    del alias
    return json.dumps({"instances": value.tolist()}).encode()


def v2_body(alias: str, value: Array) -> bytes:
    tensor = {
        "name": alias,
        "shape": list(value.shape),
        "datatype": "FP32",
        "data": value.ravel().tolist(),
        "parameters": {"content_type": "np"},
    }
    return json.dumps({"inputs": [tensor]}).encode()


def grpc_body(alias: str, value: Array, model: str = "default") -> bytes:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.inputs[alias].CopyFrom(to_proto(value, packed=True))
    data: bytes = request.SerializeToString()
    return data


@contextmanager
def own(folder: Path, *flags: str) -> Iterator[ServerProcess]:
    with tempfile.TemporaryDirectory() as scratch:
        command = own_server(f"--model_base_path={folder}", *flags)
        with serve(command, Path(scratch) / "log.txt") as server:
            wait_until_ready(server, "default", 60)
            yield server


def _cpu(pid: int) -> float:
    process = psutil.Process(pid)
    return float(sum(sum(one.cpu_times()[:2]) for one in [process, *process.children(recursive=True)]))


def measure(name: str, folder: Path, seconds: float, clients: list[int], batches: list[int]) -> list[Result]:
    model = name.split("-")[0]
    results = []
    rows_engine = {rows: in_process(folder, model, rows, seconds) for rows in batches}
    for rows, used in rows_engine.items():
        print(f"{name:18} engine in process, batch {rows:3}: {used:9.0f} µs CPU a call")
    for flags in ((), ("--enable_batching",)):
        with own(folder, *flags) as server:
            for rows in batches:
                alias, value = example(model, rows)
                for count in clients:
                    label = f"{name} {'batching' if flags else 'plain':8} batch {rows:3} clients {count:3}"
                    runs = (
                        ("REST", plain_rest_body(alias, value), ("--port", str(server.rest_port))),
                        ("gRPC", grpc_body(alias, value), ("--port", str(server.grpc_port), "--grpc")),
                    )
                    for way, body, where in runs:
                        result = load(server.process.pid, f"{label} {way}", body, count, seconds, *where)
                        results.append(result)
                        _show(result, rows_engine[rows])
    return results


def _show(result: Result, engine: float) -> None:
    print(
        f"{result.name:55} {result.per_second:8.0f} req/s  p50 {result.p50:7.2f}  p99 {result.p99:7.2f} ms  "
        f"CPU {result.cpu_us:7.0f} µs  {result.cpu_us / engine:5.2f} × engine",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--clients", default="1,32")
    parser.add_argument("--batches", default="1,32")
    parser.add_argument(
        "--only",
        default="",
        help="one of cnn-saved_model, cnn-litert, lstm-saved_model, lstm-litert; or peers",
    )
    parser.add_argument("--peers", default="", help=f"comma list of {', '.join(PEERS)}")
    parser.add_argument("--models", default="/tmp/slipway-benchmark-models")
    options = parser.parse_args()
    subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, pathlib; from benchmarks.serving_models import write_models; "
            "write_models(pathlib.Path(sys.argv[1]))",
            options.models,
        ],
        check=True,
    )
    clients = [int(text) for text in options.clients.split(",")]
    batches = [int(text) for text in options.batches.split(",")]
    all_names = ("cnn-saved_model", "cnn-litert", "lstm-saved_model", "lstm-litert")
    names = [name for name in all_names if options.only in ("", name)]
    for name in names:
        measure(name, Path(options.models) / name, options.seconds, clients, batches)
    for peer in filter(None, options.peers.split(",")):
        folder = Path(options.models) / "cnn-saved_model" / "1"
        _, value = example("cnn", 1)
        engine = in_process(folder.parent, "cnn", 1, options.seconds)
        with start_peer(peer, folder) as (pid, port, path):
            for count in clients:
                body = (v2_body if PEERS[peer].is_v2 else plain_rest_body)("image", value)
                where = ("--port", str(port), "--path", path)
                _show(
                    load(pid, f"{peer} cnn batch 1 clients {count}", body, count, options.seconds, *where),
                    engine,
                )


if __name__ == "__main__":
    main()
