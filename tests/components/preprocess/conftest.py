"""tf.Transform run on a few texts, once for all tests."""

from collections.abc import Sequence

import apache_beam as beam
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from apache_beam.options.pipeline_options import PipelineOptions
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

from components.preprocess.config import PreprocessConfig
from components.preprocess.transform import preprocessing_fn

TEXTS = ("the plot was good", "The plot was GOOD, good!", "the plot: don't", "été", "ÉTÉ", "")
CONFIG = PreprocessConfig(module="text", inputs=("text",), vocabulary_size=5, max_length=4)


class Words:
    """The preprocessing of texts as it is after the analysis of `TEXTS`."""

    def __init__(self, transform: tft.TFTransformOutput) -> None:
        self._layer = transform.transform_features_layer()
        self.vocabulary = [word.decode() for word in transform.vocabulary_by_name("words")]

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each text, without padding."""
        sparse = self._layer({"text": tf.sparse.from_dense([[text] for text in texts])})["text"]
        dense = tf.sparse.to_dense(sparse, default_value=-1).numpy()
        return [[int(word) for word in row if word >= 0] for row in dense]


@pytest.fixture(scope="session")
def words(tmp_path_factory: pytest.TempPathFactory) -> Words:
    folder = tmp_path_factory.mktemp("words")
    spec = {"text": tf.io.VarLenFeature(tf.string), "label": tf.io.FixedLenFeature([1], tf.string)}
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(spec))
    custom = {"config": CONFIG.model_dump_json(), "label": "label"}
    options = PipelineOptions(["--runner=FnApiRunner", "--no_pipeline_type_check"])
    with beam.Pipeline(options=options) as p, tft_beam.Context(temp_dir=str(folder / "tmp")):
        rows = p | beam.Create([{"text": [text], "label": ["yes"]} for text in TEXTS])
        function = (rows, metadata) | tft_beam.AnalyzeDataset(lambda inputs: preprocessing_fn(inputs, custom))
        _ = function | tft_beam.WriteTransformFn(str(folder / "graph"))
        _ = metadata | tft_beam.WriteMetadata(str(folder / "graph" / "metadata"), p)
    return Words(tft.TFTransformOutput(str(folder / "graph")))
