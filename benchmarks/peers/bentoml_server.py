"""The CNN behind BentoML, with its adaptive batching. Run by `benchmarks.serving_peers`."""

import os
import sys
from pathlib import Path
from typing import Any

import bentoml
import numpy as np

if len(sys.argv) == 3 and __name__ == "__main__":
    os.environ["PEER_MODEL"] = sys.argv[1]
    command = ["bentoml", "serve", f"{Path(__file__).stem}:Predict", "--port", sys.argv[2]]
    os.chdir(Path(__file__).parent)
    os.execv(sys.executable, [sys.executable, "-m", *command])


@bentoml.service(workers=1, traffic={"timeout": 60})
class Predict:
    """Runs batches that BentoML has joined."""

    def __init__(self) -> None:
        from serving.engine.saved_model import load

        self.model = load(Path(os.environ["PEER_MODEL"]))

    @bentoml.api(batchable=True, max_batch_size=32, max_latency_ms=60_000)
    def predict(self, instances: list[Any]) -> list[Any]:
        """Run the model."""
        rows = np.array(instances, np.float32)
        answers: list[Any] = self.model.run("serving_default", {"image": rows})["probabilities"].tolist()
        return answers
