"""The models that the serving benchmark runs: the networks of the shipped configurations, on raw tensors."""

import os
from pathlib import Path
from typing import Any

os.environ["TF_USE_LEGACY_KERAS"] = "1"

import tensorflow as tf
import tf_keras as keras

from components.models import cnn, lstm

WORDS = 500


def write_models(folder: Path) -> dict[str, Path]:
    """Writes each model as SavedModel and as LiteRT, as version folders. Weights are untrained: speed is the same."""
    written = {}
    image = {"image": tf.TensorSpec([8, 8, 1], tf.float32)}
    words = {"words": tf.TensorSpec([WORDS], tf.int64)}
    models = {
        "cnn": (image, cnn.build_model(image, 10, {"filters": [16, 32], "dense": 64})),
        "lstm": (words, lstm.build_model(words, 2, {"vocabulary_size": 10_000})),
    }
    for name, (features, model) in models.items():
        ((alias, spec),) = features.items()
        for engine in ("saved_model", "litert"):
            target = folder / f"{name}-{engine}" / "1"
            if not target.exists():
                _write(model, alias, spec, engine, target)
            written[f"{name}-{engine}"] = target.parent
    return written


def _write(model: Any, alias: str, spec: Any, engine: str, target: Path) -> None:
    batch = 1 if engine == "litert" and alias == "words" else None
    signature = tf.TensorSpec([batch, *spec.shape], spec.dtype, name=alias)

    @tf.function(input_signature=[signature])  # type: ignore[untyped-decorator]
    def predict(x: Any) -> dict[str, Any]:
        return {"probabilities": model({alias: x}, training=False)}

    if engine == "saved_model":
        archive = keras.export.ExportArchive()
        archive.track(model)
        archive.add_endpoint("serving_default", predict)
        archive.write_out(str(target))
        return
    converter = tf.lite.TFLiteConverter.from_concrete_functions([predict.get_concrete_function()], model)
    target.mkdir(parents=True)
    (target / "model.tflite").write_bytes(converter.convert())
