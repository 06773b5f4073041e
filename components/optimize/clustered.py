"""Clustering: each layer's weights share a few values, so that the compressed file is small."""

from typing import Any

from components.optimize.fine_tune import copy_of, fine_tune, need_tf_keras
from components.optimize.technique import InapplicableError, Technique, Work


def _build(model: Any, work: Work) -> Any:
    need_tf_keras("clustered", work)
    import tensorflow_model_optimization as tfmot
    import tf_keras

    clustering = tfmot.clustering.keras
    kinds = (tf_keras.layers.Dense, tf_keras.layers.Conv2D, tf_keras.layers.Embedding, tf_keras.layers.LSTM)
    clustered = 0

    def wrap(layer: Any) -> Any:
        nonlocal clustered
        if not isinstance(layer, kinds):
            return layer
        clustered += 1
        return clustering.cluster_weights(
            layer,
            number_of_clusters=work.config.clustered.clusters,
            cluster_centroids_init=clustering.CentroidInitialization.KMEANS_PLUS_PLUS,
        )

    wrapped = tf_keras.models.clone_model(copy_of(model), clone_function=wrap)
    if not clustered:
        raise InapplicableError("no layer that can be clustered (Dense, Conv2D, Embedding, LSTM)")
    fine_tune(wrapped, work)
    return clustering.strip_clustering(wrapped)


TECHNIQUES = {
    "clustered": Technique(
        "clustered", "model", "a tf_keras model with Dense, Conv2D, Embedding or LSTM layers", _build
    )
}
