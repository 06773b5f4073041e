"""LiteRT: the Keras model as one `model.tflite`, in float32 or with narrower numbers.

The file takes transformed features (what `preprocessing/` beside it gives) and answers as the SavedModel does:
`probabilities`, `class_id`, `label`. Text models take one example at a time, at its own length: LiteRT's lists
need a fixed batch size, and nothing is padded that way.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from components.names import CLASS_ID, CLASS_NAME, PROBABILITIES
from components.optimize.parent import is_sequence, keras_world, model_inputs, training_examples, variables
from components.optimize.technique import InapplicableError, Technique, Work
from serving.engine.open import LITERT_FILE

#: The technique whose models carry their own quantization, and need no calibration.
_QUANTIZED = "qat"


def _litert(converter: Any, model: Any, work: Work) -> None:
    # Only here, in float32: LiteRT's int8 kernels refuse sparse weights, so there the zeros only help compression.
    if "pruned" in work.before:
        converter.optimizations = [tf.lite.Optimize.EXPERIMENTAL_SPARSITY]


def _float16(converter: Any, model: Any, work: Work) -> None:
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]


def _int8_dynamic(converter: Any, model: Any, work: Work) -> None:
    converter.optimizations = [tf.lite.Optimize.DEFAULT]


def _int8(converter: Any, model: Any, work: Work) -> None:
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if _QUANTIZED in work.before:
        return
    converter.representative_dataset = partial(_calibration, work)
    # Word ids and labels are not quantized, so the plain operations are allowed beside the int8 ones.
    converter.target_spec.supported_ops = [
        tf.lite.OpsSet.TFLITE_BUILTINS_INT8,
        tf.lite.OpsSet.TFLITE_BUILTINS,
    ]


def _int16x8(converter: Any, model: Any, work: Work) -> None:
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = partial(_calibration, work)
    converter.target_spec.supported_ops = [
        tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8,
        tf.lite.OpsSet.TFLITE_BUILTINS,
    ]


def _calibration(work: Work) -> Iterator[dict[str, Any]]:
    """Yield representative training examples, one at a time."""
    batches = training_examples(work.parent, 1, work.config.seed)
    for features, _ in batches.take(work.config.calibration_examples).as_numpy_iterator():
        yield features


def _convert(options: Callable[[Any, Any, Work], None], model: Any, work: Work) -> None:
    """Write `model.tflite`.

    Raises:
        InapplicableError: an operation does not convert, or the file's answers differ from the model's.
    """
    calibrated = options in (_int8, _int16x8) and _QUANTIZED not in work.before
    if calibrated and is_sequence(work.parent):
        model = _without_masks(model, work)
    classes = tf.constant(list(work.parent.classes))
    specs = {
        name: tf.TensorSpec([1, *spec.shape[1:]], spec.dtype, name=name) if is_sequence(work.parent) else spec
        for name, spec in model_inputs(work.parent).items()
    }

    def answer(**features: tf.Tensor) -> dict[str, tf.Tensor]:
        probabilities = tf.cast(model(features, training=False), tf.float32)
        class_id = tf.argmax(probabilities, axis=1)
        return {PROBABILITIES: probabilities, CLASS_ID: class_id, CLASS_NAME: tf.gather(classes, class_id)}

    function = tf.function(answer).get_concrete_function(**specs)
    # Only the variables are tracked: given the Keras model, the converter would trace every layer again.
    tracked = tf.Module()
    tracked.variables_of_model = variables(model)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], tracked)
    options(converter, model, work)
    try:
        content = converter.convert()
    except Exception as error:  # the converter raises many types, Exception itself among them
        raise InapplicableError(f"does not convert to LiteRT: {_first_words(error)}") from error
    work.folder.mkdir(parents=True, exist_ok=True)
    (work.folder / LITERT_FILE).write_bytes(content)
    _check_answers(content, model, work)


def _without_masks(model: Any, work: Work) -> Any:
    """Return the same model without masks: LiteRT can calibrate its fused LSTM, but not a loop.

    One example at a time has no padding to mask, so its answers are the same.
    """
    if keras_world(work.parent) == "keras":
        raise InapplicableError("full integer LSTMs need a tf_keras model; this one is of Keras 3")
    import tf_keras

    def unmask(layer: Any) -> Any:
        config = layer.get_config()
        if config.get("mask_zero"):
            config["mask_zero"] = False
        return type(layer).from_config(config)

    plain = tf_keras.models.clone_model(model, clone_function=unmask)
    plain.set_weights(model.get_weights())
    return plain


def _check_answers(content: bytes, model: Any, work: Work) -> None:
    """Compare the file with the model on a few examples, to find a conversion that lost the weights."""
    from ai_edge_litert.interpreter import Interpreter

    try:
        run = Interpreter(model_content=content, num_threads=1).get_signature_runner()
        compared = [
            (run(**features)[PROBABILITIES], np.asarray(model(features, training=False)))
            for features, _ in training_examples(work.parent, 1).take(32).as_numpy_iterator()
        ]
    except (RuntimeError, ValueError) as error:
        raise InapplicableError(f"LiteRT cannot run what was converted: {_first_words(error)}") from error
    far = float(np.mean([np.abs(mine - its).sum() / 2 for mine, its in compared]))
    if not far <= 0.25:
        raise InapplicableError(
            f"the converted file's answers differ from the model's (mean difference {far:.2f})"
        )


def _first_words(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = next((line for line in lines if "error:" in line), lines[0] if lines else type(error).__name__)
    return telling.rpartition("error:")[2].strip()[:200]


def _technique(name: str, options: Callable[[Any, Any, Work], None], needs: str) -> Technique:
    return Technique(name, "files", needs, partial(_convert, options))


TECHNIQUES = {
    technique.name: technique
    for technique in (
        _technique("litert", _litert, "operations that LiteRT has"),
        _technique("float16", _float16, "operations that LiteRT has"),
        _technique("int8_dynamic", _int8_dynamic, "operations that LiteRT has"),
        _technique(
            "int8", _int8, "operations that LiteRT has in int8, and training examples to calibrate on"
        ),
        _technique("int16x8", _int16x8, "operations that LiteRT has in int16, and training examples"),
    )
}
