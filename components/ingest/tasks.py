"""Dividing the raw data into tasks, each read by one Beam worker as a stream."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from components.ingest import csv_rows, idx_rows, image_rows, tfrecord_rows
from components.ingest.config import DataConfig
from components.ingest.csv_config import FeatureType
from components.ingest.files import absolute, look
from components.ingest.rows import BadRow, Row, Skipped

# Image files are many and small: a task takes this many of them.
IMAGES_PER_TASK = 256


@dataclass(frozen=True)
class ReadTask:
    """Files that are read one after the other, and the split they belong to (None: by a rule)."""

    split: str | None
    files: tuple[str, ...]
    root: str = ""
    labels: str = ""
    types: dict[str, FeatureType] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()


class Plan(NamedTuple):
    """What is read, and what is not: files in the folder, and columns, in words."""

    tasks: list[ReadTask]
    skipped: list[str]
    notes: list[str]


def plan(config: DataConfig, inputs: Sequence[str]) -> Plan:
    """List the tasks of all splits, in the order of their files' names.

    Args:
        config: the data's configuration.
        inputs: the raw features that the model reads.

    Raises:
        DataError: a path has no files, or the first CSV file cannot be understood.
    """
    tasks: list[ReadTask] = []
    skipped: list[str] = []
    notes: list[str] = []
    types: dict[str, FeatureType] = {}
    for split, path in config.sources():
        urls, left = look(path, config.format)
        skipped += left
        if config.format == "idx":
            tasks += [ReadTask(split, (images,), labels=labels) for images, labels in idx_rows.pairs(urls)]
        elif config.format == "images":
            root = absolute(path)
            for start in range(0, len(urls), IMAGES_PER_TASK):
                tasks.append(ReadTask(split, tuple(urls[start : start + IMAGES_PER_TASK]), root=root))
        else:
            if config.format == "csv" and not types:
                types, notes = csv_rows.infer(urls[0], config, inputs)
            tasks += [ReadTask(split, (url,), types=types, inputs=tuple(inputs)) for url in urls]
    return Plan(tasks, skipped, notes)


def read(task: ReadTask, config: DataConfig) -> Iterator[Row | BadRow | Skipped]:
    """Read the task's files.

    Raises:
        DataError: a file is unusable as a whole.
    """
    for url in task.files:
        if config.format == "csv":
            yield from csv_rows.read(url, config, task.types, task.inputs)
        elif config.format == "tfrecord":
            yield from tfrecord_rows.read(url, config)
        elif config.format == "images":
            yield from image_rows.read(url, config, task.root)
        else:
            yield from idx_rows.read(url, task.labels, config)
