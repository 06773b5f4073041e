"""A small float model of each kind, made as the pipeline makes it, and what the optimizer is given to optimize it."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from components.evaluate.config import EvaluateConfig
from components.optimize.config import OptimizeConfig
from components.optimize.parent import Parent, feature_specs
from components.optimize.run import OptimizerInputs
from components.preprocess.config import PreprocessConfig

BEAM = ("--runner=FnApiRunner", "--no_pipeline_type_check")


@dataclass(frozen=True)
class Made:
    """A float model, with the examples it is judged on."""

    parent: Parent
    preprocess: PreprocessConfig
    judged: str

    def inputs(self, folder: Path, evaluate: dict[str, Any], **config: Any) -> OptimizerInputs:
        import apache_beam as beam

        return OptimizerInputs(
            parent=self.parent,
            config=OptimizeConfig.model_validate(config),
            evaluate=EvaluateConfig.model_validate(evaluate),
            preprocess=self.preprocess,
            files=[self.judged],
            beam_pipeline=beam.Pipeline(argv=list(BEAM)),
            folder=folder / "evaluation",
            variants=folder / "variants",
        )


def make(
    folder: Path,
    rows: list[dict[str, bytes]],
    classes: list[str],
    preprocess: PreprocessConfig,
    build: Callable[[dict[str, Any], int], Any],
) -> Made:
    """Preprocess rows with tf.Transform, train a model on the first three quarters, export it."""
    import apache_beam as beam
    import tensorflow_transform as tft
    import tensorflow_transform.beam as tft_beam
    from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

    from components.preprocess.transform import preprocessing_fn
    from components.train.export import export
    from components.train.inputs import dataset
    from components.train.inputs import feature_specs as model_specs

    spec = {name: tf.io.FixedLenFeature([1], tf.string) for name in rows[0]}
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(spec))
    custom = {"config": preprocess.model_dump_json(), "label": "label"}
    half = len(rows) * 3 // 4
    graph, transformed = str(folder / "graph"), str(folder / "transformed")
    with beam.Pipeline(argv=list(BEAM)) as p, tft_beam.Context(temp_dir=str(folder / "tmp")):
        data = (p | beam.Create([{name: [v] for name, v in row.items()} for row in rows[:half]]), metadata)
        function = data | tft_beam.AnalyzeDataset(lambda inputs: preprocessing_fn(inputs, custom))
        _ = function | tft_beam.WriteTransformFn(graph)
        _ = metadata | tft_beam.WriteMetadata(f"{graph}/metadata", p)
        out, out_metadata = (data, function) | tft_beam.TransformDataset()
        coder = tft.coders.ExampleProtoCoder(out_metadata.schema)
        _ = (
            out
            | beam.Map(coder.encode)
            | beam.io.WriteToTFRecord(transformed, file_name_suffix=".gz", num_shards=1)
        )
    transform = tft.TFTransformOutput(graph)
    train = tuple(str(path) for path in folder.glob("transformed*.gz"))
    features = transform.transformed_feature_spec()
    model = build(model_specs(dict(features), "label"), len(classes))
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    model.fit(dataset(train, features, "label", classes, 32, (1000, 1)), epochs=12, verbose=0)
    export(model, transform, preprocess.inputs, classes, folder / "saved_model")
    model.save(str(folder / "model.keras"))
    parent = Parent(
        saved_model=str(folder / "saved_model"),
        keras_model=str(folder / "model.keras"),
        transform=graph,
        train_files=train,
        raw_files=(_raw(folder / "train.gz", rows[:half]),),
        spec=feature_specs(features),
        label="label",
        classes=tuple(classes),
        inputs=preprocess.inputs,
    )
    return Made(parent, preprocess, _raw(folder / "judged.gz", rows[half:]))


def _raw(path: Path, rows: list[dict[str, bytes]]) -> str:
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for row in rows:
            example = tf.train.Example()
            for name, value in row.items():
                example.features.feature[name].bytes_list.value.append(value)
            writer.write(example.SerializeToString())
    return str(path)


def digit_rows(count: int) -> list[dict[str, bytes]]:
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    rows = []
    for pixels, label in zip(digits.images[:count], digits.target[:count], strict=True):
        png = io.BytesIO()
        Image.fromarray(np.round(pixels * 255 / 16).astype(np.uint8)).save(png, "PNG")
        rows.append({"image": png.getvalue(), "label": str(label).encode()})
    return rows


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """1,200 digits, a small CNN."""
    from components.models import cnn

    tf.keras.utils.set_random_seed(1)
    config = PreprocessConfig(module="image", inputs=("image",), image_shape=(8, 8, 1))

    def build(features: dict[str, Any], classes: int) -> Any:
        return cnn.build_model(features, classes, {"filters": [8, 16], "dense": 32})

    folder = tmp_path_factory.mktemp("images")
    return make(folder, digit_rows(1200), [str(i) for i in range(10)], config, build)


@pytest.fixture(scope="session")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """400 generated reviews, a small LSTM."""
    import random

    from components.models import lstm
    from components.preprocess.text import FIRST_WORD
    from data.reviews import review

    chance = random.Random(1)
    rows = []
    for index in range(400):
        text = review(chance, index % 2 == 0, "plain")
        rows.append({"text": text.encode(), "label": b"good" if index % 2 == 0 else b"bad"})
    tf.keras.utils.set_random_seed(1)

    def build(features: dict[str, Any], classes: int) -> Any:
        known = {"vocabulary_size": 400 + FIRST_WORD, "embedding": 8, "units": 8}
        return lstm.build_model(features, classes, known)

    config = PreprocessConfig(module="text", inputs=("text",), vocabulary_size=400)
    return make(tmp_path_factory.mktemp("texts"), rows, ["bad", "good"], config, build)
