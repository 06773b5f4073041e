"""Every technique on real data: `python -m benchmarks.optimization configs/mnist_all.yaml configs/reviews_all.yaml`.

Each configuration is run by the pipeline in a folder that is thrown away; the table is the one that Gate 2 wrote.
Beside it: the float model called as most programs call it, by the Python signature of `tf.saved_model.load`.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 20


def run(config: str, folder: Path) -> Path:
    """Run the pipeline with everything it writes under a folder; returns the model's artifacts."""
    places = {"pipeline_root": "artifacts", "runs": "runs", "push.bucket": "bucket"}
    sets = [part for key, name in places.items() for part in ("--set", f"{key}={folder / name}")]
    subprocess.run([sys.executable, "run_local.py", "--config", config, *sets], check=True)
    return next((folder / "artifacts").iterdir())


def latest(folder: Path) -> Path:
    return max((path for path in folder.iterdir() if path.name.isdigit()), key=lambda path: int(path.name))


def beside_signature(saved_model: Path, pick: Path, examples: list[str]) -> tuple[float, float]:
    """The medians in µs, one example a call, of the loaded object's own signature and of the pick in our engine.

    The two take turns in this process, 64 requests a round and one thread each, so that noise hits both alike.
    """
    import numpy as np
    import tensorflow as tf

    from components.raw import raw_inputs, read_examples
    from serving.engine.open import EngineOptions, open_engine

    tf.config.threading.set_intra_op_parallelism_threads(1)
    engine = open_engine(pick, EngineOptions())
    signature = engine.signatures["serving_default"]
    requests = [raw_inputs([example], signature) for example in read_examples(examples, 64)]
    tensors = [{name: tf.constant(value) for name, value in request.items()} for request in requests]
    model = tf.saved_model.load(str(saved_model))
    call = model.signatures["serving_default"]

    def by_signature(index: int) -> None:
        call(**tensors[index])

    def by_engine(index: int) -> None:
        engine.run("serving_default", requests[index])

    times: tuple[list[float], list[float]] = ([], [])
    for round_ in range(ROUNDS + 1):
        for kind, ask in enumerate((by_signature, by_engine)):
            for index in range(len(requests)):
                begun = time.perf_counter_ns()
                ask(index)
                if round_:  # the first round compiles shapes and makes buffers
                    times[kind].append((time.perf_counter_ns() - begun) / 1e3)
    return float(np.median(times[0])), float(np.median(times[1]))


def main(configs: list[str]) -> None:
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    from components.names import FLOAT
    from components.optimize.table import as_text, read_rows

    for config in configs:
        with tempfile.TemporaryDirectory() as scratch:
            artifacts = run(config, Path(scratch))
            rows = read_rows(latest(artifacts / "Optimizer" / "optimization"))
            model = latest(artifacts / "Trainer" / "model") / "Format-Serving"
            examples = sorted(map(str, latest(artifacts / "Ingest" / "examples").glob("Split-test/*")))
            print(f"\n## {config}\n\n{as_text(rows)}\n")
            picked = next(row.name for row in rows if row.picked)
            folder = latest(artifacts / "Optimizer" / "optimization") / "variants" / picked
            if picked != FLOAT:
                signature, pick = beside_signature(model, folder, examples)
                print(
                    f"Python signature of the float model {signature:,.0f} µs, {picked} {pick:,.0f} µs: "
                    f"{signature / pick:.1f}× faster\n",
                    flush=True,
                )


if __name__ == "__main__":
    main(sys.argv[1:])
