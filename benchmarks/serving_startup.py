"""How long the model server takes from its start to its first answer, beside the bare import of each runtime.

python -m benchmarks.serving_startup [--runs 5]
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from benchmarks.serving import example
from serving.client.local import own_server, serve

RUNTIMES = {"saved_model": "tensorflow", "litert": "ai_edge_litert.interpreter"}


def import_seconds(module: str) -> float:
    """A Python process that does nothing but import a module."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def first_answer_seconds(folder: Path, model: str) -> float:
    """From starting the server to having its first right answer over REST."""
    _, value = example(model, 1)
    body = json.dumps({"instances": value.tolist()}).encode()
    started = time.perf_counter()
    with (
        tempfile.TemporaryDirectory() as scratch,
        serve(own_server(f"--model_base_path={folder}"), Path(scratch) / "log.txt") as server,
    ):
        request = urllib.request.Request(server.rest + "/v1/models/default:predict", body)
        while True:
            try:
                with urllib.request.urlopen(request) as response:
                    assert json.load(response)["predictions"]
                return time.perf_counter() - started
            except urllib.error.HTTPError as error:
                if error.code != 503:  # 503: its models are being loaded
                    raise
            except urllib.error.URLError:
                if server.process.poll() is not None:
                    raise
            time.sleep(0.005)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument(
        "--models", default="/tmp/slipway-benchmark-models", help="as benchmarks.serving wrote them"
    )
    options = parser.parse_args()
    for model in ("cnn", "lstm"):
        for engine, module in RUNTIMES.items():
            folder = Path(options.models) / f"{model}-{engine}"
            bare, whole = [], []
            for _ in range(options.runs):  # turn by turn, so that other work weighs on both
                bare.append(import_seconds(module))
                whole.append(first_answer_seconds(folder, model))
            print(
                f"{folder.name:16} import {module:28} {statistics.median(bare):5.2f} s   "
                f"first answer {statistics.median(whole):5.2f} s  "
                f"({min(whole):.2f} to {max(whole):.2f})",
                flush=True,
            )


if __name__ == "__main__":
    main()
