"""A property of any table: what Ingest accepts, the server answers, by the names, values and classes of the CSV.

Without a pipeline run: Ingest's own reading of the file, the export's signatures, the engine, and REST's reading and
writing of JSON. The model answers what it was asked.
"""

import csv
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from components.ingest import csv_rows
from components.ingest.config import DataConfig
from components.ingest.examples import values as values_of
from components.ingest.rows import DataError, Row
from components.names import CLASS_NAME
from components.preprocess.config import PreprocessConfig
from components.train.signatures import add_signatures
from serving.engine.saved_model import load
from serving.inference.checks import check_inputs
from serving.rest.decode import predict_inputs
from serving.rest.document import Body
from serving.rest.encode import prediction

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
NAMES = TEXTS | st.sampled_from(
    ["class", "self", "from", "_x", "1st", "sepal length (cm)", "a/b:c.d,e-f", "größe", "🍷"]
)
CELLS = {
    "int": st.integers(-(2**63) + 1, 2**63 - 1).map(str),
    "float": st.floats(-1e6, 1e6, width=32).map(repr),
    "text": TEXTS,
}


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    """A header whose last column is the label, and rows of cells, some of them empty."""
    header = draw(st.lists(NAMES, min_size=2, max_size=5, unique=True))
    count = draw(st.integers(2, 5))
    columns = []
    for _ in header[:-1]:
        cell = CELLS[draw(st.sampled_from(sorted(CELLS)))]
        columns.append(draw(st.lists(cell | st.just(""), min_size=count, max_size=count)))
    columns.append(draw(st.lists(TEXTS, min_size=count, max_size=count)))
    return header, [list(row) for row in zip(*columns, strict=True)]


def ingested(folder: Path, header: list[str], rows: list[list[str]]) -> list[Row]:
    """Read the table as Ingest does; an empty list if it refuses it."""
    path = folder / "table.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
    *inputs, label = header
    config = DataConfig(format="csv", path=str(path), label=label)
    try:
        PreprocessConfig(module="model.py", inputs=tuple(inputs))
        types = csv_rows.infer(str(path), config, inputs).types
        found = list(csv_rows.read(str(path), config, types, inputs))
    except (DataError, ValueError):
        return []
    return [row for row in found if isinstance(row, Row)]


def exported(rows: list[dict[str, Any]], inputs: list[str], classes: list[str], target: Path) -> None:
    """Export a model that answers with what it is asked, a missing value by its mark, and with a class."""
    kinds: dict[str, Any] = {}
    for name in inputs:
        values = [row[name][0] for row in rows if row.get(name)]
        dtype = (
            tf.string
            if not values
            else tf.as_dtype({bytes: "string", int: "int64", float: "float32"}[type(values[0])])
        )
        gaps = len(values) < len(rows)
        kinds[name] = tf.io.VarLenFeature(dtype) if gaps else tf.io.FixedLenFeature([1], dtype)
    archive = tf_keras.export.ExportArchive()
    archive.variable = tf.Variable(1.0)

    def answer(raw: dict[str, Any]) -> dict[str, tf.Tensor]:
        told = {}
        for index, name in enumerate(inputs):
            value = raw[name]
            if isinstance(value, tf.SparseTensor):
                mark = "" if value.dtype == tf.string else -1
                value = tf.RaggedTensor.from_sparse(value).to_tensor(
                    tf.cast(mark, value.dtype) if mark else mark
                )
                value = tf.pad(value, [[0, 0], [0, 1 - tf.shape(value)[1]]], constant_values=mark)
            told[f"told_{index}"] = value[:, 0]
        batch = tf.shape(told["told_0"])[0]
        ids = tf.math.floormod(tf.range(batch), len(classes))
        return {
            **told,
            CLASS_NAME: tf.gather(tf.constant(classes), ids),
            "one": tf.fill([batch], archive.variable),
        }

    add_signatures(archive, kinds, answer)
    archive.write_out(str(target))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tables())
def test_what_ingest_accepts_the_server_answers(table: tuple[list[str], list[list[str]]]) -> None:
    header, cells = table
    inputs = header[:-1]
    with tempfile.TemporaryDirectory() as name:
        rows = ingested(Path(name), header, cells)
        assume(rows)
        examples = [tf.train.Example.FromString(row.example) for row in rows]
        told = [{key: list(value) for key, value in values_of(example).items()} for example in examples]
        classes = sorted({row.label for row in rows})
        assert set(classes) <= {row[-1] for row in cells}
        exported(told, inputs, classes, Path(name) / "model")
        sent = [
            {key: _json(row[key][0]) if row.get(key) else None for key in inputs if row.get(key) or index % 2}
            for index, row in enumerate(told)
        ]
        with load(Path(name) / "model") as model:
            signature = model.signatures["serving_default"]
            assert set(signature.inputs) == set(inputs)
            arrays, _ = predict_inputs(Body(json.dumps({"instances": sent}).encode()), signature, "")
            answered = model.run("serving_default", check_inputs(signature, arrays))
    predictions = json.loads(prediction(answered, by_row=True))["predictions"]
    for index, (row, answer) in enumerate(zip(told, predictions, strict=True)):
        for position, key in enumerate(inputs):
            got = answer[f"told_{position}"]
            expected = _json(row[key][0] if row.get(key) else (b"" if isinstance(got, str) else -1))
            if isinstance(expected, float):
                # JSON has the shortest decimals of a float32.
                got, expected = np.float32(got), np.float32(expected)
            assert got == expected, (key, got, expected)
        assert answer[CLASS_NAME] == classes[index % len(classes)]


def _json(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value
