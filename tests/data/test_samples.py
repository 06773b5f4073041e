import csv
import io
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from data import digits, reviews
from data.staging import staged


def test_digits(tmp_path: Path) -> None:
    digits.write(str(tmp_path / "a"))
    records = list(tf.data.TFRecordDataset(str(tmp_path / "a" / "digits.tfrecord")).as_numpy_iterator())
    assert len(records) == 1797
    features = [tf.train.Example.FromString(record).features.feature for record in records]
    assert Counter(f["label"].bytes_list.value[0] for f in features).keys() == {b"%d" % i for i in range(10)}
    strokes = Counter(f["stroke_weight"].bytes_list.value[0] for f in features)
    assert strokes.keys() == {b"thin", b"medium", b"bold"}
    assert max(strokes.values()) < 1.1 * min(strokes.values())
    image = np.array(Image.open(io.BytesIO(features[0]["image"].bytes_list.value[0])))
    assert image.shape == (8, 8)
    assert image.dtype == np.uint8
    assert image.max() > 200


def test_reviews(tmp_path: Path) -> None:
    reviews.write(str(tmp_path / "a"))
    reviews.write(str(tmp_path / "b"))
    content = (tmp_path / "a" / "reviews.csv").read_text()
    assert content == (tmp_path / "b" / "reviews.csv").read_text(), "the same rows every time"
    rows = list(csv.DictReader(io.StringIO(content)))
    assert len(rows) == 4000
    assert len({row["text"] for row in rows}) > 3900
    assert Counter(row["label"] for row in rows)["positive"] == pytest.approx(2000, abs=150)
    assert set(Counter(row["style"] for row in rows)) == set(reviews.STYLES)


def test_the_order_of_the_words_matters(tmp_path: Path) -> None:
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    reviews.write(str(tmp_path / "a"))
    with (tmp_path / "a" / "reviews.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    labels = [row["label"] for row in rows]

    def accuracy(longest: int) -> float:
        counter = CountVectorizer(ngram_range=(1, longest), token_pattern=r"\w+|[,;.]")
        counts = counter.fit_transform([row["text"] for row in rows])
        model = LogisticRegression(solver="liblinear").fit(counts[:3000], labels[:3000])
        return float(model.score(counts[3000:], labels[3000:]))

    assert accuracy(1) < 0.7, "a bag of words is not enough"
    assert 0.75 < accuracy(4) < 0.97, "phrases tell more, and noise leaves no perfect model"


def test_a_killed_attempt_leaves_nothing_under_the_name(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), staged(str(tmp_path / "a")) as folder:  # noqa: PT012
        (folder / "half").write_text("x")
        raise RuntimeError("killed")
    assert not (tmp_path / "a").exists()
    with staged(str(tmp_path / "a")) as folder:
        (folder / "whole").write_text("x")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["whole"]
