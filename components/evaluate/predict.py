"""Predictions of several models on the same examples, made once and kept in one Arrow file."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import tensorflow as tf

from components.evaluate.metrics import LABEL, choice_column, probabilities_column
from components.names import EXAMPLES_INPUT, EXAMPLES_SIGNATURE, PROBABILITIES
from components.outputs import OutputFaults, output_faults
from serving.engine.base import Engine
from serving.errors import UserError


class LabelError(UserError, ValueError):
    """An example's label is not one of the classes that the models know."""


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
            first = found[0] if found else b"(none)"
            values[name].append(first if isinstance(first, bytes) else str(first).encode())
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
) -> dict[str, OutputFaults]:
    """Run every model on every example and write an Arrow file.

    A row holds the label's id, each model's probabilities and its choice (one-hot), and the slice features as
    text; batch by batch, so that memory does not grow with the number of examples.

    Args:
        files: gzipped TFRecord files of raw examples.
        models: the models by name.
        classes: names in the order of their ids.
        label: the label's feature name.
        slices: the features that slices are made of.
        batch_size: examples in one call of a model.
        output: the file to write.
        quantized: the models whose answers may be rounded to 8 bits.

    Returns:
        For each model, how many of its answers are not probabilities.
    """
    faults = dict.fromkeys(models, OutputFaults())
    writer = None
    with pa.OSFile(str(output), "wb") as sink:
        for batch in serialized_batches(files, batch_size):
            text = _text_features(batch, list(dict.fromkeys([label, *slices])))
            columns = {
                LABEL: _rows(label_ids(text[label], classes)[:, None]),
                **{name: _rows(np.array(text[name], object)[:, None]) for name in slices},
            }
            for name, model in models.items():
                answers = model.run(EXAMPLES_SIGNATURE, {EXAMPLES_INPUT: batch})
                probabilities = answers[PROBABILITIES].astype(np.float32)
                faults[name] += output_faults(probabilities, name in quantized)
                columns[probabilities_column(name)] = _rows(probabilities)
                choice = np.eye(probabilities.shape[1], dtype=np.float32)[probabilities.argmax(1)]
                columns[choice_column(name)] = _rows(choice)
            table = pa.table(columns)
            writer = writer or pa.ipc.new_file(sink, table.schema)
            writer.write_table(table)
        if writer is None:
            raise ValueError("the split to evaluate has no examples")
        writer.close()
    return faults


def _rows(values: npt.NDArray[np.generic]) -> pa.Array:
    """Make an Arrow list column of a 2-D array, a list for each row."""
    kind = pa.binary() if values.dtype == object else pa.from_numpy_dtype(values.dtype)
    offsets = pa.array(np.arange(0, values.size + 1, values.shape[1], dtype=np.int32))
    return pa.ListArray.from_arrays(offsets, pa.array(values.ravel(), kind))


def confusion_matrix(predictions: Path, model: str, classes: int) -> npt.NDArray[np.int64]:
    """Count examples by actual class (rows) and chosen class (columns), int64 [classes, classes]."""
    matrix = np.zeros((classes, classes), np.int64)
    with pa.OSFile(str(predictions)) as file, pa.ipc.open_file(file) as reader:
        for index in range(reader.num_record_batches):
            batch = reader.get_batch(index)
            actual = batch.column(LABEL).flatten().to_numpy()
            choice = batch.column(choice_column(model)).flatten().to_numpy().reshape(-1, classes).argmax(1)
            np.add.at(matrix, (actual, choice), 1)
    return matrix
