"""Warm-up requests: what TF Serving replays on a version before it serves it, so that nobody waits for the first."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from components.raw import raw_inputs
from serving.signature import DEFAULT_SIGNATURE, Signature


def write_warmup(
    model_name: str, signature: Signature, examples: Sequence[Any], batch_sizes: Sequence[int], target: Path
) -> None:
    """Write a TFRecord of PredictionLog, one request for each batch size.

    Arguments:
        model_name: named in each request.
        signature: `serving_default` of the model.
        examples: tf.train.Examples with its raw features; repeated where a batch needs more.
        batch_sizes: examples in each request.
        target: the file; in a version it is `assets.extra/tf_serving_warmup_requests`.
    """
    with tf.io.TFRecordWriter(str(target)) as writer:
        for size in batch_sizes:
            chosen = [examples[index % len(examples)] for index in range(size)]
            request = predict_pb2.PredictRequest()
            request.model_spec.name = model_name
            request.model_spec.signature_name = DEFAULT_SIGNATURE
            for name, value in raw_inputs(chosen, signature.inputs).items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
            record = prediction_log_pb2.PredictionLog(
                predict_log=prediction_log_pb2.PredictLog(request=request)
            )
            writer.write(record.SerializeToString())
