"""tf.Transform run on a few texts, once for all tests."""

from collections.abc import Sequence

import pytest
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_transform.tf_metadata import schema_utils

from components.preprocess.config import PreprocessConfig
from components.preprocess.transform import preprocessing_fn
from tests.components.analysis import analyzed

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
    custom = {"config": CONFIG.model_dump_json(), "label": "label"}
    rows = [{"text": [text], "label": ["yes"]} for text in TEXTS]
    schema = schema_utils.schema_from_feature_spec(spec)
    return Words(analyzed(folder, schema, rows, lambda inputs: preprocessing_fn(inputs, custom)))
