"""The built-in image sample: scikit-learn's 1,797 handwritten digits, 8×8, as TFRecord of tf.Example."""

import io

import numpy as np

from data.staging import staged

STROKES = ("thin", "medium", "bold")


def write(path: str) -> None:
    """Write `<path>/digits.tfrecord`.

    Features of each example, one value each: `image` (bytes: PNG, 8×8, grey, ink 0..16 scaled to 0..255),
    `label` (bytes: "0" to "9"), `stroke_weight` (bytes: thin, medium or bold, by terciles of the mean ink).

    Args:
        path: a local folder that does not exist yet.
    """
    import tensorflow as tf
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.round(digits.images * (255 / 16)).astype(np.uint8)
    ink = digits.images.mean(axis=(1, 2))
    strokes = np.digitize(ink, np.quantile(ink, (1 / 3, 2 / 3)))
    with staged(path) as folder, tf.io.TFRecordWriter(str(folder / "digits.tfrecord")) as writer:
        for pixels, label, stroke in zip(images, digits.target, strokes, strict=True):
            png = io.BytesIO()
            Image.fromarray(pixels).save(png, "PNG")
            example = tf.train.Example()
            for name, value in (
                ("image", png.getvalue()),
                ("label", str(label).encode()),
                ("stroke_weight", STROKES[stroke].encode()),
            ):
                example.features.feature[name].bytes_list.value.append(value)
            writer.write(example.SerializeToString(deterministic=True))
