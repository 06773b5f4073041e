"""The CNN behind MLServer, with its adaptive batching. Run by `benchmarks.serving_peers`."""

import asyncio
import sys
from pathlib import Path

from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

from serving.engine.saved_model import load


class Predict(MLModel):
    """Runs batches that MLServer has joined."""

    async def load(self) -> bool:
        """Open the model."""
        self.model = load(Path(sys.argv[1]))
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer a batch of requests."""
        rows = NumpyCodec.decode_input(payload.inputs[0])
        answers = self.model.run("serving_default", {"image": rows})["probabilities"]
        return InferenceResponse(
            model_name=self.name, outputs=[NumpyCodec.encode_output("predictions", answers)]
        )


async def main() -> None:
    port = int(sys.argv[2])
    # In this process, without workers of its own: that costs the least for a model as small as this one.
    server = MLServer(
        Settings(
            http_port=port, grpc_port=port + 1, metrics_port=port + 2, host="127.0.0.1", parallel_workers=0
        )
    )
    model = ModelSettings(name="cnn", implementation=Predict, max_batch_size=32, max_batch_time=0.001)
    await server.start([model])


if __name__ == "__main__":
    asyncio.run(main())
