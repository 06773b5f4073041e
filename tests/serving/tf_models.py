"""Small real models, made once a session."""

from pathlib import Path

import tensorflow as tf


class HalfPlus(tf.Module):  # type: ignore[misc]
    """y = x / 2 + b, by Predict, Classify and Regress, and with a row's sum for ragged input."""

    def __init__(self, b: float) -> None:
        super().__init__()
        self.a = tf.Variable(0.5)
        self.b = tf.Variable(b)

    def _examples(self, inputs: tf.Tensor) -> tf.Tensor:
        feature = tf.io.FixedLenFeature([1], tf.float32, default_value=[0.0])
        return self.a * tf.io.parse_example(inputs, {"x": feature})["x"] + self.b


def write_half_plus(folder: Path, b: float = 2.0) -> Path:
    """A version folder."""
    module = HalfPlus(b)
    examples = tf.TensorSpec([None], tf.string, name="inputs")

    def predict(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": module.a * x + module.b}

    def classify(inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        scores = module._examples(inputs)
        return {"scores": scores, "classes": tf.where(scores > 3, [["high"]], [["low"]])}

    def regress(inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"outputs": module._examples(inputs)}

    def types(f: tf.Tensor, i: tf.Tensor, s: tf.Tensor, t: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"f": f * 2, "i": i + 1, "s": s, "t": tf.logical_not(t), "s_bytes": s, "n": tf.shape(f)[0]}

    def function(call: object, *specs: tf.TensorSpec) -> tf.types.experimental.GenericFunction:
        return tf.function(call, input_signature=specs)

    signatures = {
        "serving_default": function(predict, tf.TensorSpec([None], tf.float32, name="x")),
        "classify": function(classify, examples),
        "regress": function(regress, examples),
        "types": function(
            types,
            tf.TensorSpec([None, None], tf.float32, name="f"),
            tf.TensorSpec([None], tf.int64, name="i"),
            tf.TensorSpec([None], tf.string, name="s"),
            tf.TensorSpec([None], tf.bool, name="t"),
        ),
    }
    tf.saved_model.save(module, str(folder), signatures=signatures)
    return folder


def write_loop(folder: Path) -> Path:
    """A model that counts to its input n, which takes a few seconds for each million, and returns it as s."""
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32, name="n")])  # type: ignore[untyped-decorator]
    def count(n: tf.Tensor) -> dict[str, tf.Tensor]:
        _, total = tf.while_loop(lambda i, _: i < n[0], lambda i, s: (i + 1, s + 1.0), (0, 0.0))
        return {"s": tf.fill(tf.shape(n), total)}

    tf.saved_model.save(module, str(folder), signatures=count)
    return folder


def write_litert(folder: Path, b: float = 2.0) -> Path:
    """The same predict signature as `model.tflite`."""
    module = HalfPlus(b)
    spec = tf.TensorSpec([None], tf.float32, name="x")

    @tf.function(input_signature=[spec])  # type: ignore[untyped-decorator]
    def predict(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": module.a * x + module.b}

    converter = tf.lite.TFLiteConverter.from_concrete_functions([predict.get_concrete_function()], module)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.tflite").write_bytes(converter.convert())
    return folder
