"""SavedModel: the model with its preprocessing inside, for TF Serving and for our server."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from components.names import EXAMPLES_INPUT, EXAMPLES_SIGNATURE
from components.optimize.parent import Parent, model_inputs
from components.optimize.technique import InapplicableError, Technique, Work
from components.train.export import export, features_layer
from components.train.inputs import to_model_inputs
from components.train.signatures import add_signatures, raw_specs
from serving.engine.saved_model import load


def write(model: Any, work: Work) -> None:
    """Export with the parent's signatures, and load the result as the C++ server does.

    Raises:
        InapplicableError: what was written does not load or does not run.
    """
    import tensorflow_transform as tft

    parent = work.parent
    export(model, tft.TFTransformOutput(parent.transform), parent.inputs, parent.classes, work.folder)
    try:
        with load(work.folder) as loaded:
            loaded.run(EXAMPLES_SIGNATURE, {EXAMPLES_INPUT: _first_raw_example(parent)})
    except (ValueError, tf.errors.OpError) as error:
        raise InapplicableError(f"the server cannot load or run it: {str(error)[:200]}") from error


def write_preprocessing(parent: Parent, target: Path) -> None:
    """Write the SavedModel that turns raw features into what a LiteRT model takes.

    Signatures `serving_default` (raw features) and `serve_examples` (serialized tf.Example); outputs: the model's
    inputs by name, sequences padded with 0 to the longest of the batch.
    """
    import tensorflow_transform as tft
    import tf_keras

    transform = tft.TFTransformOutput(parent.transform)
    raw_spec, lists = raw_specs(transform, parent.inputs)
    archive = tf_keras.export.ExportArchive()
    preprocess = features_layer(transform, archive)
    names = list(model_inputs(parent))

    def transformed(raw: dict[str, Any]) -> dict[str, tf.Tensor]:
        features = to_model_inputs(preprocess(raw))
        return {name: features[name] for name in names}

    add_signatures(archive, raw_spec, transformed, lists)
    archive.write_out(str(target))


def as_model(function: Callable[..., tf.Tensor]) -> Any:
    """Wrap a function of transformed features as a tf_keras model, so that it exports like any other."""
    import tf_keras

    class Wrapped(tf_keras.Model):  # type: ignore[misc]  # Keras has no types
        """Calls the function; it has no variables of its own."""

        def __init__(self) -> None:
            super().__init__()
            self.function = function
            self.built = True  # there is nothing to build, and export refuses a model that is not built

        def call(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
            """Return the function's probabilities."""
            del training
            return self.function(**inputs)

    return Wrapped()


def _first_raw_example(parent: Parent) -> Any:
    """Read a raw training example, serialized; object array [1]."""
    records = tf.data.TFRecordDataset(list(parent.raw_files), "GZIP").batch(1).take(1)
    return next(records.as_numpy_iterator())


TECHNIQUES = {"saved_model": Technique("saved_model", "files", "nothing", write)}
