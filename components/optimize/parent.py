"""The float model that variants are made of, and its examples, in a form that can be passed to another process."""

import json
import zipfile
from pathlib import Path
from typing import Any, Literal

from components.config import Section


class FeatureSpec(Section):
    """How one transformed feature is parsed: dense of a fixed shape, or a sequence of varying length."""

    dtype: str
    shape: tuple[int, ...] | None


class Parent(Section):
    """Where the float model, its examples and its preprocessing are.

    Attributes:
        saved_model: folder of the exported SavedModel, raw features in.
        keras_model: the bare Keras model (`.keras`), transformed features in.
        transform: folder of tf.Transform's output.
        train_files: transformed training examples.
        raw_files: raw training examples, to try a variant on.
        spec: of the transformed features, label included.
        label: the label's feature name.
        classes: names in the order of their ids.
        inputs: the raw features that the model reads.
        module: `cnn`, `lstm`, or the user's file that defines the model's own classes.
    """

    saved_model: str
    keras_model: str
    transform: str
    train_files: tuple[str, ...]
    raw_files: tuple[str, ...]
    spec: dict[str, FeatureSpec]
    label: str
    classes: tuple[str, ...]
    inputs: tuple[str, ...]
    module: str = ""


def parsing_spec(parent: Parent) -> dict[str, Any]:
    """Return the specification for tf.io.parse_example."""
    import tensorflow as tf

    return {
        name: tf.io.VarLenFeature(tf.as_dtype(spec.dtype))
        if spec.shape is None
        else tf.io.FixedLenFeature(list(spec.shape), tf.as_dtype(spec.dtype))
        for name, spec in parent.spec.items()
    }


def feature_specs(spec: dict[str, Any]) -> dict[str, FeatureSpec]:
    """Describe tf.Transform's feature spec in plain values."""
    import tensorflow as tf

    return {
        name: FeatureSpec(
            dtype=value.dtype.name,
            shape=None if isinstance(value, tf.io.VarLenFeature) else tuple(value.shape),
        )
        for name, value in spec.items()
    }


def model_inputs(parent: Parent) -> dict[str, Any]:
    """Return the tf.TensorSpec of each input of the Keras model, batch dimension included; sizes that vary are None."""
    import tensorflow as tf

    return {
        name: tf.TensorSpec(
            [None, *(spec.shape if spec.shape is not None else [None])], spec.dtype, name=name
        )
        for name, spec in parent.spec.items()
        if name != parent.label
    }


def is_sequence(parent: Parent) -> bool:
    """Tell whether an input has another dimension that varies: a text's length."""
    return any(spec.shape is None for name, spec in parent.spec.items() if name != parent.label)


def training_examples(parent: Parent, batch_size: int, seed: int | None = None) -> Any:
    """Read batches of (features, class ids); shuffled if a seed is given, else in the files' order."""
    from components.train.inputs import dataset

    shuffle = None if seed is None else (10_000, seed)
    return dataset(
        parent.train_files, parsing_spec(parent), parent.label, parent.classes, batch_size, shuffle
    )


def keras_world(parent: Parent) -> Literal["tf_keras", "keras"]:
    """Tell which Keras saved the model, tf_keras (2) or Keras 3, by the version in its archive."""
    with zipfile.ZipFile(parent.keras_model) as archive:
        version = str(json.loads(archive.read("metadata.json"))["keras_version"])
    return "keras" if int(version.split(".")[0]) >= 3 else "tf_keras"


def load_keras(parent: Parent) -> Any:
    """Load the Keras model with the Keras that saved it, after the user's own classes.

    Raises:
        FileNotFoundError: Keras could not save it.
    """
    if not Path(parent.keras_model).is_file():
        raise FileNotFoundError("Keras could not save build_model's model: give its class a get_config()")
    if parent.module.endswith(".py"):
        from components.modules import load_function

        load_function(str(Path(parent.module)), "build_model")
    if keras_world(parent) == "keras":
        import keras

        # A lambda in it is code, but of the file that we have run to train the model.
        return keras.models.load_model(parent.keras_model, safe_mode=False)
    import tf_keras

    return tf_keras.models.load_model(parent.keras_model, safe_mode=False)


def variables(model: Any) -> list[Any]:
    """Return the model's tf.Variables; Keras 3 wraps them."""
    return [
        getattr(variable, "value", variable) if _wraps(variable) else variable for variable in model.variables
    ]


def _wraps(variable: Any) -> bool:
    return type(variable).__module__.startswith("keras.")
