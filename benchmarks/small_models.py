"""Small models for what the server does with several at once: a light one, a slow one, and two that take large inputs.

python -m benchmarks.small_models FOLDER
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf


def light(x: Any) -> dict[str, Any]:
    return {"y": 2.0 * x + 1.0}


def heavy(n: Any) -> dict[str, Any]:
    """Counts to n, in one operation after the other."""
    _, total = tf.while_loop(lambda i, s: i < n[0], lambda i, s: (i + 1, s + 1.0), (0, 0.0))
    return {"total": tf.fill(tf.shape(n), total)}


def wide(x: Any) -> dict[str, Any]:
    return {"total": tf.reduce_sum(x)}


def picture(image: Any) -> dict[str, Any]:
    def brightness(png: Any) -> Any:
        return tf.reduce_mean(tf.cast(tf.io.decode_png(png, channels=1), tf.float32))

    return {"brightness": tf.map_fn(brightness, image, fn_output_signature=tf.float32)}


MODELS: dict[str, tuple[Callable[[Any], dict[str, Any]], Any]] = {
    # One that is asked, one whose versions are swapped, one that is configured now and then.
    **dict.fromkeys(("light", "swapped", "extra"), (light, tf.TensorSpec([None], tf.float32, name="x"))),
    "heavy": (heavy, tf.TensorSpec([None], tf.int32, name="n")),
    "wide": (wide, tf.TensorSpec([None], tf.float32, name="x")),
    "picture": (picture, tf.TensorSpec([None], tf.string, name="image")),
}


def write(folder: Path) -> None:
    """Write version 1 of each model that is not there."""
    for name, (function, spec) in MODELS.items():
        if not (folder / name / "1").exists():
            signature = tf.function(function, input_signature=[spec])
            tf.saved_model.save(tf.Module(), str(folder / name / "1"), signatures=signature)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
