"""The predictions of the gates: what is written for each model, and what is said of answers that are none."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from components.evaluate.answers import confusion_matrix, read_answers
from components.evaluate.predict import LabelError, ModelRunError, write_predictions
from components.outputs import OutputFaults
from serving.engine.signature import Signature

CLASSES = ["no", "yes"]


class Fixed:
    """An engine that answers every batch by its rows' numbers."""

    def __init__(self, answers: Sequence[Sequence[float]], names: Sequence[str] = ()) -> None:
        self.signatures: dict[str, Signature] = {}
        self.steady = self.pure = frozenset[str]()
        self.signature_defs: dict[str, Any] = {}
        self._answers = np.array(answers, np.float32)
        self._at = 0
        self._names = np.array([name.encode() for name in names], object)

    def run(
        self, signature_name: str, inputs: Mapping[str, Any], output_filter: Sequence[str] | None = None
    ) -> dict[str, Any]:
        rows = self._answers[self._at : self._at + len(inputs["examples"])]
        self._at += len(rows)
        class_ids = rows.argmax(1)
        named = {"label": self._names[class_ids]} if self._names.size else {}
        return {"probabilities": rows, "class_id": class_ids, **named}

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
    answers = read_answers(output, list(models), 2, [])
    assert confusion_matrix(answers, "good").tolist() == [[1, 0], [1, 1]]


def test_a_value_that_is_called_none_is_no_gap(tmp_path: Path) -> None:
    path, output = str(tmp_path / "examples.gz"), tmp_path / "predictions.arrow"
    with tf.io.TFRecordWriter(path, "GZIP") as writer:
        for values in ([], [b"(none)"]):
            example = tf.train.Example()
            example.features.feature["answer"].bytes_list.value.append(b"no")
            example.features.feature["town"].bytes_list.value.extend(values)
            writer.write(example.SerializeToString())
    write_predictions([path], {"m": Fixed([[1, 0]] * 2)}, CLASSES, "answer", ["town"], 2, output)
    assert read_answers(output, ["m"], 2, ["town"]).slices["town"][0] == ("(none)", '"(none)"')


def test_a_label_that_no_model_knows_is_named(examples: str, tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="label 'yes' is not among the classes"):
        write_predictions([examples], {}, ["no"], "answer", [], 2, tmp_path / "predictions.arrow")


def test_a_model_with_other_classes_is_matched_by_their_names(examples: str, tmp_path: Path) -> None:
    # The labels are yes, no, yes; the old model knew three classes in another order.
    old = Fixed([[0.1, 0.2, 0.7], [0.2, 0.7, 0.1], [0.6, 0.1, 0.3]], ["maybe", "no", "yes"])
    output = tmp_path / "predictions.arrow"
    models = {"candidate": Fixed([[0.1, 0.9]] * 3, CLASSES), "baseline": old}
    faults = write_predictions(
        [examples], models, CLASSES, "answer", [], 2, output, own_classes={"baseline": ["maybe", "no", "yes"]}
    )
    assert faults["baseline"] == OutputFaults(rows=3), "its own answers are probabilities"
    answers = read_answers(output, list(models), 2, [])
    assert answers.labels.tolist() == [1, 0, 1]
    assert answers.chosen["baseline"].tolist() == [1, 0, -1], "maybe is no class of today"
    np.testing.assert_allclose(answers.given["baseline"], [0.7, 0.7, 0.3], rtol=1e-6)
    np.testing.assert_allclose(answers.scores("baseline", 0), [0.2, 0.7, 0.1], rtol=1e-6)


def test_a_model_whose_classes_are_not_as_recorded_is_not_run(examples: str, tmp_path: Path) -> None:
    output = tmp_path / "predictions.arrow"
    swapped = Fixed([[0.1, 0.9]] * 3, ["yes", "no"])
    with pytest.raises(ModelRunError, match="the old model calls class 1 'no', and not 'yes'") as error:
        write_predictions([examples], {"old": swapped}, CLASSES, "answer", [], 2, output)
    assert error.value.model == "old"
    three = Fixed([[0.1, 0.8, 0.1]] * 3)
    with pytest.raises(ModelRunError, match=r"answers \[2, 3\] for 2 examples of 2 classes"):
        write_predictions([examples], {"old": three}, CLASSES, "answer", [], 2, output)


def test_a_model_that_fails_is_named_with_its_reason(examples: str, tmp_path: Path) -> None:
    class Broken(Fixed):
        def run(self, *_: Any) -> dict[str, Any]:
            raise ValueError("Feature: age (data type: float) is required but could not be found.\nmore")

    with pytest.raises(
        ModelRunError, match=r"the old model does not run on the examples: Feature: age .* found\.$"
    ):
        write_predictions([examples], {"old": Broken([])}, CLASSES, "answer", [], 2, tmp_path / "p.arrow")
