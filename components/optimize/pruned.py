"""Pruning: small weights become zeros, by magnitude or two of every four, and the others are trained further."""

from typing import Any

from components.optimize.fine_tune import copy_of, fine_tune, need_tf_keras, steps_per_epoch
from components.optimize.technique import InapplicableError, Technique, Work


def _build(model: Any, work: Work) -> Any:
    need_tf_keras("pruned", work)
    import tensorflow_model_optimization as tfmot
    import tf_keras

    options, sparsity = work.config.pruned, tfmot.sparsity.keras
    if options.pattern == "2:4":
        arguments: dict[str, Any] = {"sparsity_m_by_n": (2, 4)}
        schedule = sparsity.ConstantSparsity(0.5, begin_step=0, frequency=100)
    else:
        arguments = {}
        steps = steps_per_epoch(work) * work.config.fine_tune.epochs
        schedule = sparsity.PolynomialDecay(
            initial_sparsity=min(0.5, options.sparsity / 2),
            final_sparsity=options.sparsity,
            begin_step=0,
            end_step=max(1, steps * 2 // 3),
            frequency=max(1, steps // 20),
        )
    pruned = 0

    def wrap(layer: Any) -> Any:
        nonlocal pruned
        kinds: tuple[Any, ...] = (tf_keras.layers.Dense, tf_keras.layers.Conv2D)
        if options.pattern == "magnitude":
            kinds = (*kinds, tf_keras.layers.Embedding, tf_keras.layers.LSTM)
        if not isinstance(layer, kinds):
            return layer
        pruned += 1
        return sparsity.prune_low_magnitude(layer, pruning_schedule=schedule, **arguments)

    wrapped = tf_keras.models.clone_model(copy_of(model), clone_function=wrap)
    if not pruned:
        raise InapplicableError("no layer that can be pruned (Dense, Conv2D, Embedding, LSTM)")
    fine_tune(wrapped, work, [sparsity.UpdatePruningStep()])
    return sparsity.strip_pruning(wrapped)


TECHNIQUES = {
    "pruned": Technique(
        "pruned", "model", "a tf_keras model with Dense, Conv2D, Embedding or LSTM layers", _build
    )
}
