"""Warm-up requests: TF Serving replays them on a version before it serves it, so that no client has to wait."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from components.raw import raw_inputs
from serving.engine.signature import DEFAULT_SIGNATURE, Signature
from serving.messages.warmup_file import predict_request, write_requests


def write_warmup(
    model_name: str, signature: Signature, examples: Sequence[Any], batch_sizes: Sequence[int], target: Path
) -> None:
    """Write a TFRecord of PredictionLog, one request for each batch size.

    Args:
        model_name: named in each request.
        signature: `serving_default` of the model.
        examples: tf.train.Examples with its raw features; repeated if a batch needs more.
        batch_sizes: examples in each request.
        target: the file; in a version it is `assets.extra/tf_serving_warmup_requests`.
    """
    batches = ([examples[index % len(examples)] for index in range(size)] for size in batch_sizes)
    write_requests(
        target,
        (predict_request(model_name, raw_inputs(chosen, signature), DEFAULT_SIGNATURE) for chosen in batches),
    )
