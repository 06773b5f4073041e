"""What a classifier must answer: probabilities. Every gate, and the export, hold a model's answers against this."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.verdict import Check

METRIC = "answers that are no probabilities"
#: How far from 1 a row's sum may be: what float32 and float16 round, and a little more.
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class OutputFaults:
    """How many rows are not probabilities, each counted for its first fault.

    Attributes:
        rows: how many rows were looked at.
        not_finite: rows with NaN or infinity.
        negative: finite rows with a negative value.
        unnormalized: other rows whose sum is not 1.
    """

    rows: int = 0
    not_finite: int = 0
    negative: int = 0
    unnormalized: int = 0

    def __add__(self, other: "OutputFaults") -> "OutputFaults":
        return OutputFaults(
            self.rows + other.rows,
            self.not_finite + other.not_finite,
            self.negative + other.negative,
            self.unnormalized + other.unnormalized,
        )

    @property
    def count(self) -> int:
        """The number of rows that are not probabilities."""
        return self.not_finite + self.negative + self.unnormalized

    def sentence(self) -> str:
        """Say how many rows are wrong, in which way, and what that usually means; "" if none is."""
        if not self.count:
            return ""
        ways = (
            (self.not_finite, "NaN or infinite", "a weight or an input is NaN, such as a missing value"),
            (self.negative, "negative", "the model returns logits: set model.output: logits"),
            (
                self.unnormalized,
                "not 1 in sum",
                "the model does not end with softmax: set model.output: logits",
            ),
        )
        found = [f"{count} {what} (usually {why})" for count, what, why in ways if count]
        return f"{self.count} of {self.rows} rows are not probabilities: {'; '.join(found)}"


def output_faults(probabilities: npt.NDArray[np.floating], quantized: bool = False) -> OutputFaults:
    """Count the rows that are not probabilities.

    Args:
        probabilities: float [rows, classes].
        quantized: whether they were computed in 8 bits: each is then off by up to 1/512, and their sum by as much as
            the square root of their number allows (four standard deviations of uniform rounding errors).
    """
    values = np.asarray(probabilities, np.float64)
    slack = 4 * np.sqrt(values.shape[1] / 12) / 256 if quantized else 0.0
    finite = np.isfinite(values).all(axis=1)
    negative = finite & (values < -_TOLERANCE).any(axis=1)
    with np.errstate(invalid="ignore"):
        off = np.abs(values.sum(axis=1) - 1) > _TOLERANCE + slack
    return OutputFaults(
        rows=len(values),
        not_finite=int((~finite).sum()),
        negative=int(negative.sum()),
        unnormalized=int((finite & ~negative & off).sum()),
    )


def output_check(faults: OutputFaults) -> Check:
    """Turn the count into a check: no row may be wrong."""
    return Check(
        metric=METRIC,
        status="failed" if faults.count else "passed",
        examples=faults.rows,
        value=float(faults.count),
        direction="at most",
        bound=0.0,
        message=faults.sentence(),
    )
