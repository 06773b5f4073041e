"""Every technique on real data: `python -m benchmarks.optimization configs/mnist_all.yaml configs/reviews_all.yaml`.

Each configuration is run by the pipeline in a folder that is thrown away; the table is the one that Gate 2 wrote.
Beside it: the float model called as most programs call it, by the Python signature of `tf.saved_model.load`.
"""

import os
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path
from typing import Any

CALLS = 400


def run(config: str, folder: Path) -> Path:
    """Run the pipeline with everything it writes under a folder; returns the model's artifacts."""
    places = {"pipeline_root": "artifacts", "runs": "runs", "push.bucket": "bucket"}
    sets = [part for key, name in places.items() for part in ("--set", f"{key}={folder / name}")]
    subprocess.run([sys.executable, "run_local.py", "--config", config, *sets], check=True)
    return next((folder / "artifacts").iterdir())


def latest(folder: Path) -> Path:
    return max((path for path in folder.iterdir() if path.name.isdigit()), key=lambda path: int(path.name))


def python_signature(saved_model: Path, examples: list[str]) -> tuple[float, float]:
    """The median and the 99th percentile in µs of the loaded object's own signature, one example a call."""
    import numpy as np
    import tensorflow as tf

    from components.raw import raw_inputs, read_examples
    from serving.saved_model import load

    tf.config.threading.set_intra_op_parallelism_threads(1)
    with load(saved_model) as engine:
        inputs = engine.signatures["serving_default"].inputs
        requests: list[dict[str, Any]] = [
            {name: tf.constant(value) for name, value in raw_inputs([example], inputs).items()}
            for example in read_examples(examples, 64)
        ]
    model = tf.saved_model.load(str(saved_model))
    call = model.signatures["serving_default"]
    for request in requests:
        call(**request)
    times = []
    for request in islice(cycle(requests), CALLS):
        started = time.perf_counter_ns()
        call(**request)
        times.append((time.perf_counter_ns() - started) / 1e3)
    return float(np.percentile(times, 50)), float(np.percentile(times, 99))


def main(configs: list[str]) -> None:
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    from components.optimize.table import as_text, read_rows

    for config in configs:
        with tempfile.TemporaryDirectory() as scratch:
            artifacts = run(config, Path(scratch))
            rows = read_rows(latest(artifacts / "Optimizer" / "optimization"))
            model = latest(artifacts / "Trainer" / "model") / "Format-Serving"
            examples = sorted(map(str, latest(artifacts / "Ingest" / "examples").glob("Split-test/*")))
            p50, p99 = python_signature(model, examples)
            print(f"\n## {config}\n\n{as_text(rows)}\n")
            print(f"Python signature of the float model: p50 {p50:,.0f} µs, p99 {p99:,.0f} µs", end="")
            picked = next((row for row in rows if row.picked and row.measured), None)
            if picked and picked.measured:
                print(f"; the pick, {picked.name}, is {p50 / picked.measured.p50_us:.1f}× faster", end="")
            print("\n", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
