"""The baseline of `pipeline_overhead.py`: what a person writes by hand to load, train, evaluate and export.

Nothing of Slipway's pipeline is used but the network itself, so that both train the same one. Reads TFRecord of
tf.Example with `image` and `label`, or a folder of IDX files; prints one line of JSON with its accuracy.
"""

import argparse
import gzip
import json
import os
from pathlib import Path
from typing import Any

os.environ["TF_USE_LEGACY_KERAS"] = "1"

import numpy as np
import tensorflow as tf
import tf_keras as keras

from components.models.cnn import build_model

Arrays = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]


def load(path: Path) -> Arrays:
    """Read images, float32 [n, height, width, 1] in 0..1, and labels, int64 [n]."""
    if idx := sorted(path.glob("*images*idx3*")):
        with gzip.open(idx[0]) as images, gzip.open(next(path.glob("*labels*idx1*"))) as labels:
            header = np.frombuffer(images.read(16), ">u4")
            pixels = np.frombuffer(images.read(), np.uint8).reshape(*header[1:], 1)
            return pixels.astype(np.float32) / 255, np.frombuffer(labels.read()[8:], np.uint8).astype(
                np.int64
            )
    files = [str(file) for file in sorted(path.rglob("*")) if file.is_file()] or [str(path)]
    spec = {"image": tf.io.FixedLenFeature([], tf.string), "label": tf.io.FixedLenFeature([], tf.string)}

    def parse(serialized: Any) -> tuple[Any, Any]:
        features = tf.io.parse_single_example(serialized, spec)
        return tf.io.decode_png(features["image"], 1) / 255, tf.strings.to_number(features["label"], tf.int64)

    compression = "GZIP" if files[0].endswith(".gz") else ""
    rows = list(tf.data.TFRecordDataset(files, compression).map(parse).as_numpy_iterator())
    return np.stack([row[0] for row in rows]).astype(np.float32), np.array([row[1] for row in rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--hyperparameters", type=json.loads, default={})
    parser.add_argument("--output", required=True)
    options = parser.parse_args()
    images, labels = load(options.data)
    order = np.random.default_rng(1).permutation(len(images))
    train, evaluation, test = np.split(order, [int(0.8 * len(order)), int(0.9 * len(order))])
    model = build_model({"image": tf.TensorSpec(images.shape[1:])}, 10, options.hyperparameters)
    model.compile(
        optimizer=keras.optimizers.Adam(),
        loss=keras.losses.SparseCategoricalCrossentropy(),
        metrics=["accuracy"],
    )
    model.fit(
        {"image": images[train]},
        labels[train],
        validation_data=({"image": images[evaluation]}, labels[evaluation]),
        epochs=options.epochs,
        batch_size=options.batch_size,
        verbose=0,
    )
    _, accuracy = model.evaluate({"image": images[test]}, labels[test], verbose=0)
    model.export(options.output)
    print(json.dumps({"accuracy": accuracy, "rows": len(images)}))


if __name__ == "__main__":
    main()
