"""Tables as people have them: scikit-learn's, one like the Titanic's, pictures in folders, baskets of any length."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf
from PIL import Image
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine


def _named(bunch: Any) -> pd.DataFrame:
    """Return a bundled data set with the names of its classes as `class`."""
    frame = bunch.frame.drop(columns="target")
    return frame.assign(**{"class": [bunch.target_names[i] for i in bunch.target]})


def iris() -> pd.DataFrame:
    """150 flowers; the columns are called `sepal length (cm)` and so on."""
    return _named(load_iris(as_frame=True))


def wine() -> pd.DataFrame:
    """178 wines, of which every tenth value is missing."""
    frame = _named(load_wine(as_frame=True))
    random = np.random.default_rng(4)
    numbers = frame.columns.drop("class")
    return frame.assign(**{name: frame[name].mask(random.random(len(frame)) < 0.1) for name in numbers})


def cancer() -> pd.DataFrame:
    """569 tumours with 30 columns, such as `mean radius`."""
    return _named(load_breast_cancer(as_frame=True))


def titanic(count: int = 900) -> pd.DataFrame:
    """Passengers, of whom a fifth have no age, most no cabin and some no port; who survived follows from the rest."""
    random = np.random.default_rng(5)
    sex, cabin_class = random.choice(["male", "female"], count), random.integers(1, 4, count)
    age = random.uniform(1, 80, count).round(1)
    chance = 0.15 + 0.6 * (sex == "female") + 0.15 * (cabin_class == 1) + 0.1 * (age < 12)
    frame = pd.DataFrame(
        {
            "PassengerId": np.arange(1, count + 1),
            "Survived": (random.random(count) < chance).astype(int),
            "Pclass": cabin_class,
            "Name": [f'O\'Brien, {"Mr" if s == "male" else "Mrs"}. "{i}"' for i, s in enumerate(sex)],
            "Sex": sex,
            "Age": age,
            "Fare": random.gamma(2, 20, count).round(4),
            "Cabin": [f"C{i}" for i in range(count)],
            "Embarked": random.choice(["S", "C", "Q"], count),
        }
    )
    for name, share in (("Age", 0.2), ("Cabin", 0.8), ("Embarked", 0.01)):
        frame[name] = frame[name].mask(random.random(count) < share)
    return frame


def pictures(folder: Path, count: int = 600) -> None:
    """Write handwritten digits as PNG files in a folder for each class, one of them called `_0`."""
    digits = load_digits()
    for index in range(count):
        name = "_0" if digits.target[index] == 0 else str(digits.target[index])
        (folder / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray((digits.images[index] * 15).astype(np.uint8)).save(folder / name / f"{index}.png")


def baskets(count: int = 600) -> list[tuple[list[str], str]]:
    """Make baskets of 0 to 6 items; one with meat or fish in it is `dinner`, an empty one `none`."""
    random = np.random.default_rng(6)
    items = ["bread", "butter", "fish", "jam", "meat", "milk", "tea", "wine"]
    made = []
    for _ in range(count):
        basket = [str(item) for item in random.choice(items, random.integers(0, 7))]
        label = "dinner" if {"meat", "fish"} & set(basket) else "breakfast" if basket else "none"
        made.append((basket, label))
    return made


def write_baskets(path: Path, made: Sequence[tuple[list[str], str]]) -> None:
    """Write baskets as tf.Examples; an empty one has no feature `items` at all."""
    with tf.io.TFRecordWriter(str(path)) as writer:
        for basket, label in made:
            example = tf.train.Example()
            example.features.feature["label"].bytes_list.value.append(label.encode())
            if basket:
                values = [item.encode() for item in basket]
                example.features.feature["items"].bytes_list.value.extend(values)
            writer.write(example.SerializeToString())
