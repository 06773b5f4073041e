"""Warm-up: replays requests stored with a version, so that the first client does not wait for initialization.

They are in `assets.extra/tf_serving_warmup_requests`, a TFRecord file of PredictionLogs, as in TensorFlow Serving.
"""

import contextlib
import time
from itertools import islice
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from serving.engine.base import Engine
from serving.engine.signature import CLASSIFY_METHOD, DEFAULT_SIGNATURE, REGRESS_METHOD, Signature
from serving.errors import Code, ServingError, invalid
from serving.inference import examples as ex
from serving.messages import tensors
from serving.messages.calls import read_input
from serving.messages.dtypes import Array
from serving.messages.protos import prediction_log_pb2
from serving.messages.tfrecord import RecordError, read_records
from serving.ops.metrics import Metrics
from serving.release.record import WARMUP_FILE

MOST_RECORDS = 1000
_MOST_SAMPLES = 32


def warm_up(engine: Engine, folder: Path, iterations: int, metrics: Metrics) -> int:
    """Replay a version's warm-up requests, if it has any, and return their number.

    Args:
        engine: the loaded model.
        folder: the version's folder.
        iterations: how many times each is replayed.
        metrics: the metrics to update.

    Raises:
        ServingError: there are too many, or one of them fails; the version should then not be served.
    """
    path = folder / WARMUP_FILE
    if not path.is_file():
        return 0
    started = time.perf_counter()
    try:
        count = _replay(engine, path, max(iterations, 1))
    except (ServingError, RecordError) as error:
        code = error.code if isinstance(error, ServingError) else Code.DATA_LOSS
        metrics.warmup_latency.observe((time.perf_counter() - started) * 1e6, str(folder), code.name)
        raise ServingError(code, f"warm-up failed: {error}") from error
    metrics.warmup_latency.observe((time.perf_counter() - started) * 1e6, str(folder), "OK")
    metrics.warmup_records.add(str(folder), by=count)
    return count


def samples(folder: Path) -> dict[str, list[dict[str, Array]]]:
    """Return the inputs of a version's first Predict requests for warm-up, by signature; of a damaged file, less."""
    path = folder / WARMUP_FILE
    found: dict[str, list[dict[str, Array]]] = {}
    if not path.is_file():
        return found
    with contextlib.suppress(RecordError, DecodeError, ServingError):
        for data in islice(read_records(path), _MOST_SAMPLES):
            entry = prediction_log_pb2.PredictionLog.FromString(data)
            if entry.WhichOneof("log_type") == "predict_log":
                request = entry.predict_log.request
                inputs = {alias: tensors.to_array(proto, alias) for alias, proto in request.inputs.items()}
                found.setdefault(request.model_spec.signature_name or DEFAULT_SIGNATURE, []).append(inputs)
    return found


def _replay(engine: Engine, path: Path, iterations: int) -> int:
    count = 0
    for count, data in enumerate(islice(read_records(path), MOST_RECORDS + 1), start=1):
        if count > MOST_RECORDS:
            raise invalid(
                f"Number of warmup records exceeds the maximum ({MOST_RECORDS}) at {path}; use fewer"
            )
        try:
            entry = prediction_log_pb2.PredictionLog.FromString(data)
        except DecodeError as error:
            raise ServingError(
                Code.DATA_LOSS, f"{path}: record {count - 1} is not a PredictionLog: {error}"
            ) from error
        for _ in range(iterations):
            _run(engine, entry)
    return count


def _run(engine: Engine, entry: Any) -> None:
    kind = entry.WhichOneof("log_type")
    if kind == "predict_log":
        request = entry.predict_log.request
        name, signature = _signature(engine, request.model_spec.signature_name)
        inputs = {alias: tensors.to_array(proto, alias) for alias, proto in request.inputs.items()}
        if not inputs.keys() <= signature.inputs.keys():
            raise invalid(f"signature '{name}' takes {sorted(signature.inputs)}, got {sorted(inputs)}")
        engine.run(name, {**signature.defaults, **inputs}, list(request.output_filter) or None)
    elif kind in ("classify_log", "regress_log"):
        request = getattr(entry, kind).request
        name, signature = _signature(engine, request.model_spec.signature_name)
        method = CLASSIFY_METHOD if kind == "classify_log" else REGRESS_METHOD
        wanted = ex.outputs_for(signature, method)
        engine.run(name, {ex.INPUTS: read_input(request.input)}, wanted)
    elif kind == "multi_inference_log":
        request = entry.multi_inference_log.request
        tensor = read_input(request.input)
        for task in request.tasks:
            name, signature = _signature(engine, task.model_spec.signature_name)
            engine.run(name, {ex.INPUTS: tensor}, ex.outputs_for(signature, task.method_name))
    else:
        raise ServingError(Code.UNIMPLEMENTED, f"Unsupported log_type for warmup: {kind}")


def _signature(engine: Engine, name: str) -> tuple[str, Signature]:
    name = name or DEFAULT_SIGNATURE
    if name not in engine.signatures:
        raise ServingError(Code.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')
    return name, engine.signatures[name]
