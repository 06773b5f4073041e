"""The CNN behind LitServe, with its batching. Run by `benchmarks.serving_peers`."""

import sys
from pathlib import Path
from typing import Any

import litserve as ls
import numpy as np

from serving.engine.saved_model import load

MODEL, PORT = sys.argv[1], int(sys.argv[2])


class Predict(ls.LitAPI):
    """Runs batches that LitServe has joined."""

    def setup(self, device: str) -> None:
        """Load the model in the worker."""
        self.model = load(Path(MODEL))

    def decode_request(self, request: dict[str, Any]) -> Any:
        """Read a request's rows."""
        return np.array(request["instances"], np.float32)

    def batch(self, inputs: list[Any]) -> Any:
        """Join requests."""
        return np.concatenate(inputs)

    def predict(self, x: Any) -> Any:
        """Run the model."""
        return self.model.run("serving_default", {"image": x})["probabilities"]

    def unbatch(self, output: Any) -> Any:
        """Share out the answers."""
        return list(output)

    def encode_response(self, output: Any) -> dict[str, Any]:
        """Write an answer."""
        return {"predictions": output.tolist()}


if __name__ == "__main__":
    server = ls.LitServer(Predict(max_batch_size=32, batch_timeout=0.001), accelerator="cpu")
    server.run(port=PORT, generate_client_file=False)
