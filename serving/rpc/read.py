"""Reads large requests in another process; what comes back is the request without its tensors, and the tensors."""

from typing import Any

from serving.inference.examples import INPUTS
from serving.messages import tensors
from serving.messages.calls import read_input
from serving.messages.protos import classification_pb2, inference_pb2, predict_pb2, regression_pb2
from serving.offload.tensors import Packed, pack
from serving.ops.limits import Limits
from serving.rpc.wire import decompress, parse

#: The messages that have tensors, by method.
REQUESTS: dict[str, Any] = {
    "Predict": predict_pb2.PredictRequest,
    "Classify": classification_pb2.ClassificationRequest,
    "Regress": regression_pb2.RegressionRequest,
    "MultiInference": inference_pb2.MultiInferenceRequest,
}


def read_apart(data: bytes, encoding: bytes, limit: int, method: str, limits: Limits) -> tuple[bytes, Packed]:
    """Return a request without its tensors, serialized, and its tensors.

    Args:
        data: the message.
        encoding: how it is compressed; empty if it is not.
        limit: the size of a message after decompression.
        method: a key of `REQUESTS`.
        limits: of tensors.

    Raises:
        ServingError: the message is not such a request, or a tensor is wrong or too large.
    """
    request = parse(REQUESTS[method], decompress(data, encoding, limit) if encoding else data)
    if method == "Predict":
        arrays = tensors.to_arrays(request.inputs, limits.check_shape)
        request.ClearField("inputs")
    else:
        arrays = {INPUTS: read_input(request.input)}
        request.ClearField("input")
    return request.SerializeToString(), pack(arrays)
