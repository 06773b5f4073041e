"""Distillation: a narrower student learns the teacher's probabilities and the labels."""

from typing import Any

import tensorflow as tf

from components.modules import load_function
from components.optimize.fine_tune import need_tf_keras
from components.optimize.parent import model_inputs, training_examples
from components.optimize.technique import InapplicableError, Technique, Work

_WIDTHS = ("units", "filters", "output_dim")


def _build(model: Any, work: Work) -> Any:
    """Train the student on soft and hard targets.

    Raises:
        InapplicableError: the model is of Keras 3, or no student of its architecture can be made.
    """
    need_tf_keras("distilled", work)
    import tf_keras

    options, classes = work.config.distilled, len(work.parent.classes)
    tf_keras.utils.set_random_seed(work.config.seed)
    student = _own_student(work) if options.module else narrower(model, options.width)
    heat = options.temperature

    def teach(features: Any, ids: tf.Tensor) -> tuple[Any, tf.Tensor]:
        return features, tf.stack([tf.one_hot(ids, classes), model(features, training=False)], axis=1)

    def loss(targets: tf.Tensor, answers: tf.Tensor) -> tf.Tensor:
        cross_entropy = tf_keras.losses.categorical_crossentropy
        soft = cross_entropy(_heated(targets[:, 1], heat), _heated(answers, heat)) * heat**2
        return options.teacher_share * soft + (1 - options.teacher_share) * cross_entropy(
            targets[:, 0], answers
        )

    student.compile(optimizer=tf_keras.optimizers.Adam(options.learning_rate), loss=loss)
    student.fit(
        training_examples(work.parent, options.batch_size, work.config.seed).map(teach),
        epochs=options.epochs,
        verbose=0,
    )
    return student


def narrower(model: Any, width: float) -> Any:
    """Return the same architecture at a fraction of the width, untrained; the output layer keeps its size.

    Raises:
        InapplicableError: the model cannot be built again from its configuration at this width.
    """
    import tf_keras

    if not isinstance(model, tf_keras.Sequential) and not getattr(model, "_is_graph_network", False):
        raise InapplicableError("a student of the same architecture needs a functional or sequential model")
    last = {layer.name for layer in model.layers if layer.output is model.output} or {model.layers[-1].name}

    def narrow(layer: Any) -> Any:
        config = layer.get_config()
        if layer.name not in last:
            _scale(config, width)
        return type(layer).from_config(config)

    try:
        return tf_keras.models.clone_model(model, clone_function=narrow)
    except ValueError as error:
        raise InapplicableError(f"no student at {width} of the width: {str(error)[:150]}") from error


def _scale(config: dict[str, Any], width: float) -> None:
    for key, value in config.items():
        if key in _WIDTHS and isinstance(value, int):
            config[key] = max(2, round(value * width))
        elif isinstance(value, dict):  # wrappers such as Bidirectional hold their layer's configuration
            _scale(value, width)


def _own_student(work: Work) -> Any:
    specs = {
        name: tf.TensorSpec(spec.shape[1:], spec.dtype, name=name)
        for name, spec in model_inputs(work.parent).items()
    }
    build = load_function(str(work.config.distilled.module), "build_model")
    return build(specs, len(work.parent.classes), {})


def _heated(probabilities: tf.Tensor, heat: float) -> tf.Tensor:
    powers = tf.maximum(probabilities, 1e-7) ** (1.0 / heat)
    return powers / tf.reduce_sum(powers, axis=-1, keepdims=True)


TECHNIQUES = {
    "distilled": Technique(
        "distilled", "model", "a functional tf_keras model, or optimize.distilled.module", _build
    )
}
