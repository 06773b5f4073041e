"""What models answered, read back from the file of predictions: what intervals and paired comparisons need."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from components.evaluate.metrics import (
    LABEL,
    Slice,
    choice_column,
    matrix,
    probabilities_column,
    record_batches,
    slice_column,
)

Ids = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Answers:
    """The answers of some models to the same examples, an entry for each example.

    Attributes:
        classes: how many there are.
        labels: class ids, int64 [examples].
        chosen: by model, the id of the class that it answered; -1 if that is a class only it knows.
        given: by model, the probability that it gave to the label's class, float64 [examples].
        slices: by feature, its values, and for each example which of them it has.
        scores: by model and class id, the probability of that class, float64 [examples]; read when it is needed,
            because all of them together would not fit into memory.
    """

    classes: int
    labels: Ids
    chosen: dict[str, Ids]
    given: dict[str, Numbers]
    slices: Mapping[str, tuple[tuple[str, ...], Ids]]
    scores: Callable[[str, int], Numbers]

    def rows(self, where: Slice) -> Mask:
        """Tell for each example whether it is of a slice."""
        found = np.ones(len(self.labels), bool)
        for feature, value in where:
            values, index = self.slices[feature]
            found &= index == values.index(value)
        return found


def read_answers(predictions: Path, models: Sequence[str], classes: int, slices: Sequence[str]) -> Answers:
    """Read the answers of some models from the file that `write_predictions` made, batch by batch."""
    labels: list[Ids] = []
    chosen: dict[str, list[Ids]] = {model: [] for model in models}
    given: dict[str, list[Numbers]] = {model: [] for model in models}
    texts: dict[str, list[pa.Array]] = {feature: [] for feature in slices}
    for batch in record_batches(predictions):
        label = batch.column(LABEL).flatten().to_numpy().astype(np.int64)
        labels.append(label)
        for model in models:
            chosen[model].append(_chosen_ids(batch, model))
            probabilities = matrix(batch, probabilities_column(model))
            given[model].append(probabilities[np.arange(len(label)), label].astype(np.float64))
        for feature in slices:
            texts[feature].append(batch.column(slice_column(feature)).flatten())
    return Answers(
        classes=classes,
        labels=np.concatenate(labels),
        chosen={model: np.concatenate(parts) for model, parts in chosen.items()},
        given={model: np.concatenate(parts) for model, parts in given.items()},
        slices={feature: _indexed(parts) for feature, parts in texts.items()},
        scores=lambda model, class_id: np.concatenate(
            [
                matrix(batch, probabilities_column(model))[:, class_id].astype(np.float64)
                for batch in record_batches(predictions)
            ]
        ),
    )


def confusion_matrix(answers: Answers, model: str) -> npt.NDArray[np.int64]:
    """Count examples by actual class (rows) and answered class (columns), int64 [classes, classes]."""
    counts = np.zeros((answers.classes, answers.classes), np.int64)
    chosen = answers.chosen[model]
    known = chosen >= 0
    np.add.at(counts, (answers.labels[known], chosen[known]), 1)
    return counts


def _chosen_ids(batch: pa.RecordBatch, model: str) -> Ids:
    """Return the class that a model answered for each row, -1 if that is not among the classes, int64 [rows]."""
    choice = matrix(batch, choice_column(model))
    ids: Ids = np.where(choice.any(axis=1), choice.argmax(axis=1), -1)
    return ids


def _indexed(parts: Sequence[pa.Array]) -> tuple[tuple[str, ...], Ids]:
    encoded = pa.concat_arrays(parts).dictionary_encode()
    values = tuple(value.decode(errors="replace") for value in encoded.dictionary.to_pylist())
    return values, encoded.indices.to_numpy().astype(np.int64)
