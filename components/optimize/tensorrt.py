"""TensorRT: a SavedModel with engines for an NVIDIA GPU, in float16."""

from pathlib import Path
from typing import Any

import tensorflow as tf

from components.optimize import saved_model
from components.optimize.technique import InapplicableError, Technique, Work


def _build(model: Any, work: Work) -> None:
    """Convert the exported model.

    Raises:
        InapplicableError: there is no GPU, or this TensorFlow cannot reach TensorRT.
    """
    if not tf.config.list_physical_devices("GPU"):
        raise InapplicableError("no GPU that TensorFlow can use on this machine")
    from tensorflow.python.compiler.tensorrt import trt_convert

    plain = Path(f"{work.folder}.plain")
    saved_model.write(model, Work(work.parent, work.config, plain, work.before))
    try:
        converter = trt_convert.TrtGraphConverterV2(
            input_saved_model_dir=str(plain), precision_mode=trt_convert.TrtPrecisionMode.FP16
        )
        converter.convert()
        converter.save(str(work.folder))
    except (RuntimeError, ImportError, AttributeError, ValueError, tf.errors.OpError) as error:
        raise InapplicableError(f"TensorRT is not usable from this TensorFlow: {str(error)[:200]}") from error


TECHNIQUES = {"tensorrt": Technique("tensorrt", "files", "an NVIDIA GPU and TensorRT", _build)}
