"""A table whose label follows from its columns, and ways to poison it."""

import csv
import random
from pathlib import Path

HEADER = ["size", "colour", "label"]


def rows(count: int = 600, shift: float = 0.0) -> list[list[object]]:
    generator = random.Random(3)
    made: list[list[object]] = []
    for _ in range(count):
        size, colour = round(generator.uniform(0, 10) + shift, 3), generator.choice(["red", "green", "blue"])
        big = size - shift > (3 if colour == "red" else 6)
        made.append([size, colour, "big" if big else "small"])
    return made


def write(path: Path, body: list[list[object]], header: list[str] | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header or HEADER, *body])


CONFIG = """
model_name: tabular
data: {{format: csv, path: table.csv, classes: [small, big]}}
preprocess: {{module: {module}, inputs: [size, colour]}}
model: {{module: {module}}}
train: {{epochs: 40, learning_rate: 0.02, class_weights: balanced}}
evaluate:
  min_examples: 5
  thresholds:
    - {{metric: accuracy, lower_bound: 0.85, max_drop: 0.05}}
    - {{metric: recall, class_name: big, lower_bound: 0.8}}
optimize: {{enabled: false}}
push: {{bucket: bucket}}
"""
