"""The CNN behind mosec, with its dynamic batching. Run by `benchmarks.serving_peers`."""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from mosec import Server, Worker

from serving.engine.saved_model import load

if sys.argv[1] != "--port":  # else a worker, which mosec starts anew with its own arguments
    os.environ["PEER_MODEL"] = sys.argv[1]
    sys.argv[1:] = ["--port", sys.argv[2]]


class Predict(Worker):
    """Runs batches that mosec has joined."""

    def __init__(self) -> None:
        self.model = load(Path(os.environ["PEER_MODEL"]))

    def forward(self, data: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Answer a batch of requests."""
        rows = np.concatenate([np.array(item["instances"], np.float32) for item in data])
        answers = iter(self.model.run("serving_default", {"image": rows})["probabilities"].tolist())
        return [{"predictions": [next(answers) for _ in item["instances"]]} for item in data]


if __name__ == "__main__":
    server = Server()
    server.append_worker(Predict, num=1, max_batch_size=32, max_wait_time=1)
    server.run()
