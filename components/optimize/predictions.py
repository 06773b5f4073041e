"""How far a variant's answers are from its parent's, from the predictions that the metrics read too."""

from pathlib import Path

import numpy as np

from components.evaluate.metrics import matrix, probabilities_column, record_batches


def agreement(predictions: Path, name: str, parent: str) -> tuple[float, float]:
    """Return the share of examples answered alike, and the largest difference of any probability.

    Args:
        predictions: the Arrow file that `write_predictions` made.
        name: the variant.
        parent: the model compared with.
    """
    equal = count = 0
    largest = 0.0
    for batch in record_batches(predictions):
        mine, its = (matrix(batch, probabilities_column(model)) for model in (name, parent))
        # What is not a number is like nothing, and as far off as a probability can be.
        apart = np.nan_to_num(np.abs(mine - its), nan=1.0, posinf=1.0)
        alike = (mine.argmax(1) == its.argmax(1)) & np.isfinite(mine).all(1) & np.isfinite(its).all(1)
        equal += int(alike.sum())
        count += len(mine)
        largest = max(largest, float(apart.max(initial=0)))
    return equal / max(count, 1), largest
