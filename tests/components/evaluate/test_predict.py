"""The predictions of the gates: what is written for each model, and what is said of answers that are none."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from components.evaluate.predict import LabelError, confusion_matrix, write_predictions
from components.outputs import OutputFaults
from serving.engine.signature import Signature

CLASSES = ["no", "yes"]


class Fixed:
    """An engine that answers every batch by its rows' numbers."""

    def __init__(self, answers: Sequence[Sequence[float]]) -> None:
        self.signatures: dict[str, Signature] = {}
        self.signature_defs: dict[str, Any] = {}
        self._answers = np.array(answers, np.float32)
        self._at = 0

    def run(
        self, signature_name: str, inputs: Mapping[str, Any], output_filter: Sequence[str] | None = None
    ) -> dict[str, Any]:
        rows = self._answers[self._at : self._at + len(inputs["examples"])]
        self._at += len(rows)
        return {"probabilities": rows}

    def run_tensors(self, feeds: Any, fetches: Any) -> list[Any]:
        raise AssertionError("not called")

    def close(self) -> None: ...


@pytest.fixture
def examples(tmp_path: Path) -> str:
    path = str(tmp_path / "examples.gz")
    with tf.io.TFRecordWriter(path, "GZIP") as writer:
        for label in (b"yes", b"no", b"yes"):
            example = tf.train.Example()
            example.features.feature["answer"].bytes_list.value.append(label)
            writer.write(example.SerializeToString())
    return path


def test_faults_are_counted_for_each_model_over_all_batches(examples: str, tmp_path: Path) -> None:
    models = {
        "good": Fixed([[0.1, 0.9], [0.8, 0.2], [0.7, 0.3]]),
        "logits": Fixed([[0.1, 2.9], [-1, 2], [0.5, 0.5]]),
        "nan": Fixed([[np.nan, np.nan]] * 3),
    }
    output = tmp_path / "predictions.arrow"
    faults = write_predictions([examples], models, CLASSES, "answer", [], 2, output)
    assert faults == {
        "good": OutputFaults(rows=3),
        "logits": OutputFaults(rows=3, negative=1, unnormalized=1),
        "nan": OutputFaults(rows=3, not_finite=3),
    }
    assert confusion_matrix(output, "good", 2).tolist() == [[1, 0], [1, 1]]


def test_a_label_that_no_model_knows_is_named(examples: str, tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="label 'yes' is not among the classes"):
        write_predictions([examples], {}, ["no"], "answer", [], 2, tmp_path / "predictions.arrow")
