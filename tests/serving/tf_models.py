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


def write_kinds(folder: Path) -> Path:
    """A SavedModel with a signature of each kind: quick and long, joined and not."""
    module = tf.Module()
    module.weights = tf.Variable(tf.random.stateless_normal([4, 3], (1, 2)))
    module.table = tf.Variable(tf.random.stateless_normal([2, 3], (3, 4)))
    module.calls = tf.Variable(0.0)
    row, rows = tf.TensorSpec([None], tf.float32, name="x"), tf.TensorSpec([None, 4], tf.float32, name="x")
    number = tf.TensorSpec([None], tf.int32, name="n")

    def steps(x: tf.Tensor) -> tf.Tensor:
        return tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, y * 2), (0, x))[1]

    def counted(most: tf.Tensor) -> tf.Tensor:
        return tf.while_loop(lambda i, _: i < most, lambda i, y: (i + 1, y), (0, 1.0))[0]

    def pictures(data: tf.Tensor) -> tf.Tensor:
        return tf.map_fn(
            lambda one: tf.reduce_mean(tf.cast(tf.io.decode_png(one), tf.float32)),
            data,
            fn_output_signature=tf.float32,
        )

    kinds = {
        "serving_default": (row, lambda x: {"y": 2 * x + 1}),
        "dense": (rows, lambda x: {"y": tf.nn.softmax(x @ module.weights)}),
        "words": (number, lambda n: {"y": tf.gather(module.table, n)}),
        "lower": (tf.TensorSpec([None], tf.string, name="s"), lambda s: {"y": tf.strings.lower(s)}),
        "loop": (number, lambda n: {"y": tf.fill(tf.shape(n), counted(n[0]))}),
        "fill": (number, lambda n: {"y": tf.fill([n[0]], 1.0)}),
        "branch": (row, lambda x: {"y": tf.cond(x[0] > 0, lambda: x, lambda: -x)}),
        "picture": (tf.TensorSpec([None], tf.string, name="s"), lambda s: {"y": pictures(s)}),
        "steps": (row, lambda x: {"y": steps(x)}),
        "mean": (rows, lambda x: {"y": x - tf.reduce_mean(x, axis=0)}),
        "sorted": (row, lambda x: {"y": tf.sort(x)}),
        "running_sum": (row, lambda x: {"y": tf.cumsum(x)}),
        "unique": (number, lambda n: {"y": tf.unique(n).y}),
        "total": (row, lambda x: {"y": x, "total": tf.reduce_sum(x)}),
        "scalar": (tf.TensorSpec([], tf.float32, name="x"), lambda x: {"y": 2 * x}),
        "fixed": (tf.TensorSpec([3], tf.float32, name="x"), lambda x: {"y": 2 * x}),
        "count": (row, lambda x: {"n": module.calls.assign_add(1.0), "y": x}),
        "noise": (row, lambda x: {"y": x + tf.random.normal(tf.shape(x))}),
    }
    signatures = {name: tf.function(call, input_signature=[spec]) for name, (spec, call) in kinds.items()}
    tf.saved_model.save(module, str(folder), signatures=signatures)
    return folder
