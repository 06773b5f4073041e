"""Building, training and exporting one model in this process."""

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from components.models import cnn, lstm
from components.modules import load_function
from components.names import KERAS_MODEL
from components.preprocess.text import FIRST_WORD, VOCABULARY
from components.schema.infer import classes_of, read_schema
from components.train import resume
from components.train.config import ModelConfig, TrainConfig
from components.train.distribute import open_strategy
from components.train.export import export, keras_of
from components.train.inputs import class_counts, dataset, feature_specs
from serving.errors import UserError

_BUILT_IN = {"cnn": cnn.build_model, "lstm": lstm.build_model}
log = logging.getLogger("slipway.train")


class ModelError(UserError, ValueError):
    """The model that build_model returned does not fit the data."""


def train(fn_args: Any, chief: bool = True) -> None:
    """Train in this process, by the configured strategy; only the chief writes results.

    Raises:
        ModelError: the model does not fit the data, or the strategy.
    """
    custom = fn_args.custom_config
    model_config = ModelConfig.model_validate_json(custom["model"])
    config = TrainConfig.model_validate_json(custom["train"])
    strategy = open_strategy(config.strategy)
    label = custom["label"]
    transform = tft.TFTransformOutput(fn_args.transform_graph_path)
    classes = classes_of(read_schema(fn_args.schema_path), label)
    spec = transform.transformed_feature_spec().copy()

    def new_model() -> tuple[Any, Any]:
        return build(model_config, config, feature_specs(spec, label), len(classes), _known(transform))

    with strategy.scope():
        model, keras = new_model()
    if config.strategy == "multi_worker_mirrored" and keras.__name__ == "keras":
        raise ModelError(
            "train.strategy multi_worker_mirrored takes tf_keras models only, but this one is of Keras 3"
        )
    files = tf.io.gfile.glob(fn_args.train_files)
    data = dataset(files, spec, label, classes, config.batch_size, (config.shuffle_buffer, config.seed))
    evaluation = dataset(tf.io.gfile.glob(fn_args.eval_files), spec, label, classes, 256)
    checkpoints = Path(custom["checkpoints"]) / _work_key(fn_args)
    run_dir = Path(fn_args.model_run_dir)
    run_dir.mkdir(parents=True, exist_ok=True)
    history = model.fit(
        data,
        validation_data=evaluation,
        epochs=config.epochs,
        class_weight=_class_weight(config, lambda: class_counts(files, spec, label, classes), classes),
        verbose=0,
        callbacks=[
            *resume.callbacks(keras, checkpoints, config.early_stopping_patience, chief),
            keras.callbacks.TensorBoard(str(run_dir / "tensorboard"), write_graph=False),
            keras.callbacks.LambdaCallback(
                on_epoch_end=lambda epoch, logs: _tell(epoch, config.epochs, logs)
            ),
        ],
    )
    weights = model.get_weights()  # by every worker: some weights are computed from those of all workers
    if not chief:
        return
    if config.strategy:
        # What is exported has the plain variables of one device.
        model, keras = new_model()
        model.set_weights(weights)
    (run_dir / "history.json").write_text(
        json.dumps({k: [float(x) for x in v] for k, v in history.history.items()})
    )
    export(model, transform, json.loads(custom["inputs"]), classes, fn_args.serving_model_dir)
    bare = Path(fn_args.serving_model_dir).parent / KERAS_MODEL
    bare.parent.mkdir(parents=True, exist_ok=True)
    model.save(str(bare))
    resume.forget(checkpoints)


def build(
    model_config: ModelConfig,
    config: TrainConfig,
    features: dict[str, Any],
    num_classes: int,
    known: dict[str, Any],
) -> tuple[Any, Any]:
    """Build and compile the configured model; returns it and the Keras it is made of.

    Raises:
        ModelError: the model's output is not [batch, num_classes].
    """
    import keras as keras_3  # takes a second, which only the process that trains has to spend

    module = model_config.module
    build_model = _BUILT_IN.get(module) or load_function(module, "build_model")
    tf.keras.utils.set_random_seed(config.seed)
    # Keras 3 keeps a seed of its own; the user's model may be of either.
    keras_3.utils.set_random_seed(config.seed)
    tf.config.experimental.enable_op_determinism()
    model = build_model(features, num_classes, {**known, **model_config.hyperparameters})
    keras = keras_of(model)
    shape = tuple(model.output_shape) if hasattr(model, "output_shape") else ()
    if shape != (None, num_classes):
        raise ModelError(
            f"{module}: build_model's output has the shape {shape}; it must be one probability for each of the "
            f"{num_classes} classes, (None, {num_classes})"
        )
    if getattr(model, "optimizer", None) is None:
        model.compile(
            optimizer=keras.optimizers.Adam(config.learning_rate),
            loss=keras.losses.SparseCategoricalCrossentropy(),
            metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        )
    return model, keras


def _work_key(fn_args: Any) -> str:
    """Return a key of the work: data, preprocessing, code and configuration, whichever run it belongs to."""
    work = [fn_args.train_files, fn_args.eval_files, fn_args.transform_graph_path, fn_args.schema_path]
    return hashlib.sha256(json.dumps([work, fn_args.custom_config], sort_keys=True).encode()).hexdigest()[:16]


def _known(transform: Any) -> dict[str, Any]:
    """Return the hyperparameters that preprocessing determines."""
    try:
        return {"vocabulary_size": transform.vocabulary_size_by_name(VOCABULARY) + FIRST_WORD}
    except ValueError:  # no such vocabulary: not the built-in text preprocessing
        return {}


def _class_weight(config: TrainConfig, counts: Any, classes: list[str]) -> dict[int, float] | None:
    weights = config.class_weights
    if weights is None:
        return None
    if weights == "balanced":
        found = counts()
        return {index: sum(found) / (len(found) * max(count, 1)) for index, count in enumerate(found)}
    if set(weights) != set(classes):
        raise ModelError(f"train.class_weights names {sorted(weights)}, but the classes are {classes}")
    return {index: weights[name] for index, name in enumerate(classes)}


def _tell(epoch: int, epochs: int, logs: dict[str, float]) -> None:
    shown = ", ".join(
        f"{name} {logs[name]:.4f}" for name in ("loss", "val_loss", "val_accuracy") if name in logs
    )
    log.info("epoch %d of %d: %s", epoch + 1, epochs, shown)
