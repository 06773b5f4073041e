"""The CNN behind Ray Serve, with its batching. Run by `benchmarks.serving_peers`."""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import ray
from ray import serve
from starlette.requests import Request

from serving.engine.saved_model import load


@serve.deployment(max_ongoing_requests=64)
class Predict:
    """Runs batches that Ray Serve has joined."""

    def __init__(self, folder: str) -> None:
        self.model = load(Path(folder))

    @serve.batch(max_batch_size=32, batch_wait_timeout_s=0.001)
    async def predict(self, items: list[Any]) -> list[Any]:
        """Answer a batch of requests."""
        rows = np.concatenate([np.array(item["instances"], np.float32) for item in items])
        answers = iter(self.model.run("serving_default", {"image": rows})["probabilities"].tolist())
        return [{"predictions": [next(answers) for _ in item["instances"]]} for item in items]

    async def __call__(self, request: Request) -> Any:
        """Answer a request."""
        return await self.predict(await request.json())


if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[2])})
    serve.run(Predict.bind(sys.argv[1]), route_prefix="/predict")  # type: ignore[attr-defined]
    while True:
        time.sleep(60)
