"""What a model answers: as it was trained, on a raw row, and as it is served, over REST."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tensorflow_transform as tft
import tf_keras

from components.names import KERAS_MODEL
from pipeline.summary import read_summary
from tests.conftest import Workspace

#: A raw row: a value, a list of values, or None, by the names of the inputs.
Row = Mapping[str, Any]


def own(workspace: Workspace, model_name: str, rows: Sequence[Row]) -> npt.NDArray[np.float32]:
    """Answer as the trained Keras model does, after tf.Transform's graph; float32 [rows, classes]."""
    outputs = read_summary(str(workspace.path / "runs"), None, model_name).outputs
    transform = tft.TFTransformOutput(str(workspace.path / outputs["Transform"]["transform_graph"]))
    spec = {name: one for name, one in transform.raw_feature_spec().items() if name in rows[0]}
    raw = tf.io.parse_example([_example(row, spec) for row in rows], spec)
    features = transform.transform_features_layer()(raw)
    path = str(workspace.path / outputs["Trainer"]["model"] / KERAS_MODEL)
    try:
        model = keras.models.load_model(path)
    except (TypeError, ValueError):
        model = tf_keras.models.load_model(path)
    answers: npt.NDArray[np.float32] = np.asarray(model(features))
    return answers


def served(url: str, model_name: str, rows: Sequence[Row]) -> tuple[npt.NDArray[np.float32], list[str]]:
    """Ask a server over REST; float32 [rows, classes], and the class names answered."""
    body = {"instances": [{name: _json(value) for name, value in row.items()} for row in rows]}
    answer = httpx.post(f"{url}/v1/models/{model_name}:predict", json=body, timeout=60)
    assert answer.status_code == 200, answer.text
    predictions = answer.json()["predictions"]
    return np.array([p["probabilities"] for p in predictions], np.float32), [p["label"] for p in predictions]


def same(
    workspace: Workspace, url: str, model_name: str, rows: Sequence[Row], classes: Path | None = None
) -> None:
    """Assert that a served release answers raw rows as the model itself does."""
    probabilities, labels = served(url, model_name, rows)
    np.testing.assert_allclose(probabilities, own(workspace, model_name, rows), atol=1e-4, err_msg=model_name)
    assert len(set(labels)) > 1, f"{model_name} answers {labels[0]} to everything"


def _example(row: Row, spec: Mapping[str, Any]) -> bytes:
    example = tf.train.Example()
    for name, value in row.items():
        values = value if isinstance(value, list) else [] if value is None else [value]
        if not values:
            continue
        feature = example.features.feature[name]
        if spec[name].dtype == tf.string:
            feature.bytes_list.value.extend([v if isinstance(v, bytes) else v.encode() for v in values])
        elif spec[name].dtype == tf.int64:
            feature.int64_list.value.extend([int(v) for v in values])
        else:
            feature.float_list.value.extend([float(v) for v in values])
    return bytes(example.SerializeToString())


def _json(value: Any) -> Any:
    return {"b64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value
