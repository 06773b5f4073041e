"""Predictions of several models on the same examples, made once and kept in one Arrow file."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import tensorflow as tf

from components.evaluate.metrics import LABEL, choice_column, probabilities_column, slice_column
from components.names import CLASS_ID, CLASS_NAME, EXAMPLES_INPUT, EXAMPLES_SIGNATURE, PROBABILITIES
from components.outputs import OutputFaults, output_faults
from serving.engine.base import Engine
from serving.errors import UserError, from_engine


class LabelError(UserError, ValueError):
    """An example's label is not one of the classes that the models know."""


class ModelRunError(RuntimeError):
    """A model cannot run on the examples; `model` is its name, the message the reason."""

    def __init__(self, model: str, reason: str) -> None:
        super().__init__(reason)
        self.model = model


#: The value of examples without one; a value of that name is shown in quotes.
_NONE = b"(none)"


def serialized_batches(files: Sequence[str], batch_size: int) -> Iterator[npt.NDArray[np.object_]]:
    """Read gzipped TFRecord files as batches of serialized tf.Examples, object array [batch]."""
    yield from tf.data.TFRecordDataset(list(files), "GZIP").batch(batch_size).as_numpy_iterator()


def _text_features(batch: npt.NDArray[np.object_], names: Sequence[str]) -> dict[str, list[bytes]]:
    """Read features as text, whatever their kind: a slice's value is only shown."""
    values: dict[str, list[bytes]] = {name: [] for name in names}
    for serialized in batch:
        feature = tf.train.Example.FromString(serialized).features.feature
        for name in names:
            kind = feature[name].WhichOneof("kind") if name in feature else None
            found = getattr(feature[name], kind).value if kind else []
            first = found[0] if found else _NONE
            text = first if isinstance(first, bytes) else str(first).encode()
            values[name].append(b'"%s"' % text if found and text == _NONE else text)
    return values


def label_ids(labels: Sequence[bytes], classes: Sequence[str]) -> npt.NDArray[np.int64]:
    """Turn label names into class ids, int64 [batch].

    Raises:
        LabelError: a label that is not among the classes.
    """
    ids = {name.encode(): index for index, name in enumerate(classes)}
    unknown = sorted({label for label in labels if label not in ids})
    if unknown:
        raise LabelError(
            f"label {unknown[0].decode(errors='replace')!r} is not among the classes {list(classes)}; "
            "list it in data.classes, or remove its rows"
        )
    return np.array([ids[label] for label in labels], np.int64)


def write_predictions(
    files: Sequence[str],
    models: Mapping[str, Engine],
    classes: Sequence[str],
    label: str,
    slices: Sequence[str],
    batch_size: int,
    output: Path,
    *,
    quantized: Collection[str] = (),
    own_classes: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, OutputFaults]:
    """Run every model on every example and write an Arrow file.

    A row holds the label's id, each model's probabilities and its choice (one-hot), and the slice features as
    text; batch by batch, so that memory does not grow with the number of examples. The answers of a model with other
    classes are put where the class of that name is; its choice of a class that is not among `classes` is all 0.

    Args:
        files: gzipped TFRecord files of raw examples.
        models: the models by name.
        classes: names in the order of their ids.
        label: the label's feature name.
        slices: the features that slices are made of.
        batch_size: examples in one call of a model.
        output: the file to write.
        quantized: the models whose answers may be rounded to 8 bits.
        own_classes: by model, its classes in the order of its answers, where these are not `classes`.

    Returns:
        For each model, how many of its answers are not probabilities.

    Raises:
        LabelError: an example's label is not among the classes.
        ModelRunError: a model does not run on the examples, or answers something else than it should.
    """
    theirs = {name: tuple((own_classes or {}).get(name, classes)) for name in models}
    faults = dict.fromkeys(models, OutputFaults())
    writer = None
    with pa.OSFile(str(output), "wb") as sink:
        for batch in serialized_batches(files, batch_size):
            text = _text_features(batch, list(dict.fromkeys([label, *slices])))
            columns = {
                LABEL: _rows(label_ids(text[label], classes)[:, None]),
                **{slice_column(name): _rows(np.array(text[name], object)[:, None]) for name in slices},
            }
            for name, model in models.items():
                probabilities = _answers(name, model, batch, theirs[name])
                faults[name] += output_faults(probabilities, name in quantized)
                choice = np.eye(probabilities.shape[1], dtype=np.float32)[probabilities.argmax(1)]
                columns[probabilities_column(name)] = _rows(_by_name(probabilities, theirs[name], classes))
                columns[choice_column(name)] = _rows(_by_name(choice, theirs[name], classes))
            table = pa.table(columns)
            writer = writer or pa.ipc.new_file(sink, table.schema)
            writer.write_table(table)
        if writer is None:
            raise ValueError("the split to evaluate has no examples")
        writer.close()
    return faults


def _answers(
    name: str, model: Engine, batch: npt.NDArray[np.object_], own: Sequence[str]
) -> npt.NDArray[np.float32]:
    """Run a model on serialized tf.Examples; float32 [batch, its own classes]."""
    try:
        answers = model.run(EXAMPLES_SIGNATURE, {EXAMPLES_INPUT: batch})
    except Exception as error:  # an engine's errors are of many types
        reason = from_engine(error).message.strip().partition("\n")[0]
        raise ModelRunError(name, f"the {name} model does not run on the examples: {reason}") from error
    probabilities = answers[PROBABILITIES].astype(np.float32)
    if probabilities.shape != (len(batch), len(own)):
        answered = list(probabilities.shape)
        raise ModelRunError(
            name, f"the {name} model answers {answered} for {len(batch)} examples of {len(own)} classes"
        )
    if CLASS_NAME in answers:
        _check_names(name, answers, own)
    return probabilities


def _check_names(name: str, answers: Mapping[str, npt.NDArray[Any]], own: Sequence[str]) -> None:
    for class_id, said in zip(
        answers[CLASS_ID].ravel().tolist(), answers[CLASS_NAME].ravel().tolist(), strict=True
    ):
        if (text := said.decode(errors="replace")) != own[class_id]:
            raise ModelRunError(
                name, f"the {name} model calls class {class_id} {text!r}, and not {own[class_id]!r}"
            )


def _by_name(
    values: npt.NDArray[np.float32], own: Sequence[str], classes: Sequence[str]
) -> npt.NDArray[np.float32]:
    """Put a column for each of the model's own classes where the class of that name is."""
    if tuple(own) == tuple(classes):
        return values
    moved = np.zeros((len(values), len(classes)), np.float32)
    for index, class_name in enumerate(own):
        if class_name in classes:
            moved[:, list(classes).index(class_name)] = values[:, index]
    return moved


def _rows(values: npt.NDArray[np.generic]) -> pa.Array:
    """Make an Arrow list column of a 2-D array, a list for each row."""
    kind = pa.binary() if values.dtype == object else pa.from_numpy_dtype(values.dtype)
    offsets = pa.array(np.arange(0, values.size + 1, values.shape[1], dtype=np.int32))
    return pa.ListArray.from_arrays(offsets, pa.array(values.ravel(), kind))
