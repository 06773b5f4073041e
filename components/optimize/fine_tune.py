"""Further training, shared by the techniques that change a tf_keras model and let it recover."""

from typing import Any

from components.optimize.parent import keras_world, training_examples
from components.optimize.technique import InapplicableError, Work


def need_tf_keras(name: str, work: Work) -> None:
    """Refuse models of Keras 3, which tensorflow-model-optimization cannot change.

    Raises:
        InapplicableError: the model is of Keras 3.
    """
    if keras_world(work.parent) == "keras":
        raise InapplicableError(
            f"{name} needs a tf_keras model (tensorflow-model-optimization); this one is of Keras 3"
        )


def fine_tune(model: Any, work: Work, callbacks: list[Any] | None = None) -> int:
    """Train on the training examples as `optimize.fine_tune` says; returns the number of steps.

    With the seed, a variant that is built again is the same.
    """
    import tf_keras

    options = work.config.fine_tune
    tf_keras.utils.set_random_seed(work.config.seed)
    model.compile(
        optimizer=tf_keras.optimizers.Adam(options.learning_rate),
        loss=tf_keras.losses.SparseCategoricalCrossentropy(),
    )
    batches = training_examples(work.parent, options.batch_size, work.config.seed)
    history = model.fit(batches, epochs=options.epochs, verbose=0, callbacks=callbacks)
    return int(history.params["steps"] or 0)


def steps_per_epoch(work: Work) -> int:
    """Count the batches of `optimize.fine_tune.batch_size` in the training examples."""
    return sum(1 for _ in training_examples(work.parent, work.config.fine_tune.batch_size))


def copy_of(model: Any) -> Any:
    """Return a copy whose layers can be wrapped without changing the parent's."""
    import tf_keras

    copy = tf_keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy
