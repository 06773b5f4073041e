"""Images: encoded bytes to numbers, pixel for pixel as `serving.engine.preprocessing.image` decodes them."""

import tensorflow as tf

from components.preprocess.config import PreprocessConfig


def preprocessing_fn(inputs: dict[str, tf.Tensor], config: PreprocessConfig) -> dict[str, tf.Tensor]:
    """Decode PNG or JPEG bytes (with 3 channels also GIF or BMP) to numbers.

    Args:
        inputs: string [batch].
        config: its `image_shape` is [height, width, channels].

    Returns:
        float32 [batch, height, width, channels] in 0..1.
    """
    assert config.image_shape is not None  # PreprocessConfig requires it
    height, width, channels = config.image_shape
    (name,) = config.inputs

    def decode(data: tf.Tensor) -> tf.Tensor:
        image = tf.cond(
            tf.io.is_jpeg(data),
            lambda: _jpeg(data, channels),
            lambda: tf.io.decode_image(data, channels=channels, expand_animations=False),
        )
        image.set_shape([None, None, channels])
        return tf.cast(tf.image.resize(image, [height, width]), tf.float32) / 255.0

    spec = tf.TensorSpec([height, width, channels], tf.float32)
    return {name: tf.map_fn(decode, inputs[name], fn_output_signature=spec)}


def _jpeg(data: tf.Tensor, channels: int) -> tf.Tensor:
    """Decode a JPEG image by the exact transform, as Pillow does; decode_image takes a fast one, and no 4 channels."""
    image = tf.io.decode_jpeg(data, channels=min(channels, 3), dct_method="INTEGER_ACCURATE")
    return tf.pad(image, [[0, 0], [0, 0], [0, 1]], constant_values=255) if channels == 4 else image
