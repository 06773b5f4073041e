"""Building, training and exporting one model in this process."""

import hashlib
import json
import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from components.causes import root_cause
from components.listing import listed
from components.models import cnn, lstm
from components.modules import load_function
from components.names import KERAS_MODEL
from components.outputs import output_faults
from components.preprocess.text import FIRST_WORD, VOCABULARY
from components.schema.text import classes_of, read_schema
from components.train import resume
from components.train.answers import Answers, compiled_from_logits, units_of, with_probabilities
from components.train.checks import loss_fault, untrained_fault
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

    features = feature_specs(spec, label)

    def new_model() -> tuple[Any, Any, Answers]:
        return build(model_config, config, features, len(classes), _known(transform))

    with strategy.scope():
        model, keras, answers = new_model()
    if config.strategy == "multi_worker_mirrored" and keras.__name__ == "keras":
        raise ModelError(
            "train.strategy multi_worker_mirrored takes tf_keras models only, but this one is of Keras 3"
        )
    files = tf.io.gfile.glob(fn_args.train_files)
    data = dataset(files, spec, label, classes, config.batch_size, (config.shuffle_buffer, config.seed))
    evaluation = dataset(tf.io.gfile.glob(fn_args.eval_files), spec, label, classes, 256)
    for batch, _ in evaluation.take(0 if config.strategy else 1):
        if fault := untrained_fault(model, batch, answers):
            raise ModelError(f"{model_config.module}: before it is trained, as it would be after: {fault}")
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
                on_train_batch_end=_stop_at_nan,
                on_epoch_end=lambda epoch, logs: _tell(epoch, config.epochs, logs),
            ),
        ],
    )
    weights = model.get_weights()  # by every worker: some weights are computed from those of all workers
    if not chief:
        return
    if config.strategy:
        # What is exported has the plain variables of one device.
        model, keras, answers = new_model()
        model.set_weights(weights)
    model = with_probabilities(model, keras, answers, features)
    _check_answers(model, evaluation)
    (run_dir / "history.json").write_text(
        json.dumps({k: [float(x) for x in v] for k, v in history.history.items()})
    )
    export(model, transform, json.loads(custom["inputs"]), classes, fn_args.serving_model_dir)
    bare = Path(fn_args.serving_model_dir).parent / KERAS_MODEL
    bare.parent.mkdir(parents=True, exist_ok=True)
    try:
        model.save(str(bare))
    except (NotImplementedError, TypeError, ValueError) as error:
        # A subclass without get_config: it serves all the same, and Optimizer skips what needs the Keras model.
        bare.unlink(missing_ok=True)
        log.warning(
            "Keras cannot save this model, so it cannot be optimized: %s", " ".join(str(error).split())[:200]
        )
    resume.forget(checkpoints)


def build(
    model_config: ModelConfig,
    config: TrainConfig,
    features: dict[str, Any],
    num_classes: int,
    known: dict[str, Any],
) -> tuple[Any, Any, Answers]:
    """Build and compile the configured model; returns it, the Keras it is made of, and what it answers.

    Raises:
        ModelError: the model's output does not fit the classes, or the configuration.
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
    try:
        shape = units_of(model, features)
    except Exception as error:
        raise ModelError(
            f"{module}: the model fails when called with the features, a dict of {listed([*features])}, each to be "
            f"read by its name as in the README: {root_cause(error)}"
        ) from error
    if shape != (None, num_classes) and (shape, num_classes) != ((None, 1), 2):
        if shape == ():
            raise ModelError(
                f"{module}: build_model's model returns several outputs; it must return one tensor"
            )
        one = ", or a single one for the second class, (None, 1)" if num_classes == 2 else ""
        raise ModelError(
            f"{module}: build_model's output has the shape {shape}; it must be one probability for each of the "
            f"{num_classes} classes, (None, {num_classes}){one}. Slipway trains classifiers, no regressions"
        )
    compiled = getattr(model, "optimizer", None) is not None
    from_logits = compiled and compiled_from_logits(model)
    if compiled and model_config.output and from_logits != (model_config.output == "logits"):
        raise ModelError(
            f"{module}: build_model compiles the model with from_logits={from_logits}, and model.output is "
            f"{model_config.output}; change one of them"
        )
    if compiled and (fault := loss_fault(model, keras, int(shape[1] or 0))):
        raise ModelError(f"{module}: {fault}")
    answers = Answers(int(shape[1] or 0), from_logits or model_config.output == "logits")
    if not compiled:
        model.compile(
            optimizer=keras.optimizers.Adam(config.learning_rate),
            loss=answers.loss(keras),
            metrics=[answers.accuracy(keras)],
        )
    return model, keras, answers


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


def _stop_at_nan(step: int, logs: dict[str, float]) -> None:
    """Stop training as soon as the loss is not a number: nothing that follows could mend it.

    Raises:
        ModelError: with the step and likely causes.
    """
    if not math.isfinite(logs["loss"]):
        raise ModelError(
            f"the loss is {logs['loss']} at step {step + 1} of the epoch. Usual causes: a feature that is NaN (a "
            "missing value) or not scaled, a logarithm or a division in the model, or a learning rate that is too "
            "high (train.learning_rate)"
        )


def _check_answers(model: Any, evaluation: Any) -> None:
    """Look at the trained model's answers to one batch, before anything is exported.

    Raises:
        ModelError: they are not probabilities.
    """
    for batch, _ in evaluation.take(1):
        faults = output_faults(np.asarray(model(batch, training=False)))
        if faults.count:
            raise ModelError(f"the trained model: {faults.sentence()}")


def _tell(epoch: int, epochs: int, logs: dict[str, float]) -> None:
    shown = ", ".join(
        f"{name} {logs[name]:.4f}" for name in ("loss", "val_loss", "val_accuracy") if name in logs
    )
    log.info("epoch %d of %d: %s", epoch + 1, epochs, shown)
