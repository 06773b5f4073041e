"""How far a variant's answers are from its parent's, from the predictions that the metrics read too."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from components.evaluate.metrics import probabilities_column


def agreement(predictions: Path, name: str, parent: str) -> tuple[float, float]:
    """Return the share of examples answered alike, and the largest difference of any probability.

    Args:
        predictions: the Arrow file that `write_predictions` made.
        name: the variant.
        parent: the model compared with.
    """
    equal = count = 0
    largest = 0.0
    with pa.OSFile(str(predictions)) as file, pa.ipc.open_file(file) as reader:
        for index in range(reader.num_record_batches):
            batch = reader.get_batch(index)
            mine, its = _probabilities(batch, name), _probabilities(batch, parent)
            # What is not a number is like nothing, and as far off as a probability can be.
            apart = np.nan_to_num(np.abs(mine - its), nan=1.0, posinf=1.0)
            alike = (mine.argmax(1) == its.argmax(1)) & np.isfinite(mine).all(1) & np.isfinite(its).all(1)
            equal += int(alike.sum())
            count += len(mine)
            largest = max(largest, float(apart.max(initial=0)))
    return equal / max(count, 1), largest


def _probabilities(batch: pa.RecordBatch, name: str) -> npt.NDArray[np.float32]:
    values: npt.NDArray[np.float32] = batch.column(probabilities_column(name)).flatten().to_numpy()
    return values.reshape(batch.num_rows, -1)
