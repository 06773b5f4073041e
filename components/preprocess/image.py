"""Images: encoded bytes to numbers."""

import tensorflow as tf

from components.preprocess.config import PreprocessConfig


def preprocessing_fn(inputs: dict[str, tf.Tensor], config: PreprocessConfig) -> dict[str, tf.Tensor]:
    """Decode PNG, JPEG, GIF or BMP bytes, string [batch], to float32 [batch, height, width, channels] in 0..1."""
    assert config.image_shape is not None  # PreprocessConfig requires it
    height, width, channels = config.image_shape
    (name,) = config.inputs

    def decode(data: tf.Tensor) -> tf.Tensor:
        image = tf.io.decode_image(data, channels=channels, expand_animations=False)
        image.set_shape([None, None, channels])
        return tf.cast(tf.image.resize(image, [height, width]), tf.float32) / 255.0

    spec = tf.TensorSpec([height, width, channels], tf.float32)
    return {name: tf.map_fn(decode, inputs[name], fn_output_signature=spec)}
