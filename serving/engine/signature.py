"""The signatures of a model, in the same terms for every engine."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from serving.messages import dtypes

DEFAULT_SIGNATURE = "serving_default"
PREDICT_METHOD = "tensorflow/serving/predict"
CLASSIFY_METHOD = "tensorflow/serving/classify"
REGRESS_METHOD = "tensorflow/serving/regress"


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a signature.

    Attributes:
        tensor_name: the engine's name of the tensor (`x:0` in a graph).
        dtype: TensorFlow's name of the type, such as `DT_FLOAT`.
        shape: one entry per dimension, None if its size may vary; None instead of a tuple if the rank may vary.
    """

    tensor_name: str
    dtype: str
    shape: tuple[int | None, ...] | None

    @property
    def numpy_dtype(self) -> np.dtype[Any]:
        """The numpy type that holds the tensor's values (`object` for strings)."""
        return dtypes.NUMPY[self.dtype]


@dataclass(frozen=True)
class Signature:
    """A named function of the model: its tensors by alias, and the default values of inputs that may be omitted."""

    inputs: dict[str, TensorSpec]
    outputs: dict[str, TensorSpec]
    method_name: str = PREDICT_METHOD
    defaults: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)
