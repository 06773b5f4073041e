"""Text: a string to the ids of its words."""

from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from components.preprocess.config import PreprocessConfig

#: Id 0 pads and id 1 stands for any unknown word; the vocabulary begins here.
FIRST_WORD = 2
VOCABULARY = "words"


def preprocessing_fn(inputs: dict[str, Any], config: PreprocessConfig) -> dict[str, tf.Tensor]:
    """Turn text into word ids: a sparse int64 [batch, words] of at most `max_length` words.

    The text is string [batch], or sparse where some examples have none (and so no words) or several (which are joined).
    Words are runs of letters, digits and apostrophes, in lower case; each other mark that is not a space is a word
    of its own, because "!" and "?" carry meaning too.
    """
    (name,) = config.inputs
    lower = tf.strings.lower(_joined(inputs[name]), encoding="utf-8")
    spaced = tf.strings.regex_replace(lower, r"([^\p{L}\p{N}'\s])", r" \1 ")
    words = tf.strings.split(spaced)[:, : config.max_length].to_sparse()
    ids = tft.compute_and_apply_vocabulary(
        words, top_k=config.vocabulary_size, default_value=-1, vocab_filename=VOCABULARY
    )
    shifted = tf.where(ids.values < 0, tf.constant(1, tf.int64), ids.values + FIRST_WORD)
    return {name: tf.SparseTensor(ids.indices, shifted, ids.dense_shape)}


def _joined(texts: Any) -> tf.Tensor:
    """Make one text of several, string [batch]; where there is none, it has no words."""
    if isinstance(texts, tf.SparseTensor):
        texts = tf.RaggedTensor.from_sparse(texts)
    return texts if texts.shape.rank == 1 else tf.strings.reduce_join(texts, axis=1, separator=" ")
