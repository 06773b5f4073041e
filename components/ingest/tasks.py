"""Dividing the raw data into tasks, each read by one Beam worker as a stream."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from components.ingest import csv_rows, idx_rows, image_rows, tfrecord_rows
from components.ingest.config import DataConfig, FeatureType
from components.ingest.files import absolute, find
from components.ingest.rows import BadRow, Row

# Image files are many and small: a task takes this many of them.
IMAGES_PER_TASK = 256


@dataclass(frozen=True)
class ReadTask:
    """Files that are read one after the other, and the split they belong to (None: by hash)."""

    split: str | None
    files: tuple[str, ...]
    root: str = ""
    labels: str = ""
    types: dict[str, FeatureType] = field(default_factory=dict)


def list_tasks(config: DataConfig) -> list[ReadTask]:
    """List the tasks of all splits, in the order of their files' names.

    Raises:
        DataError: a path has no files, or the first CSV file cannot be understood.
    """
    tasks: list[ReadTask] = []
    types: dict[str, FeatureType] = {}
    for split, path in config.sources():
        urls = find(path, config.format)
        if config.format == "idx":
            tasks += [ReadTask(split, (images,), labels=labels) for images, labels in idx_rows.pairs(urls)]
        elif config.format == "images":
            root = absolute(path)
            for start in range(0, len(urls), IMAGES_PER_TASK):
                tasks.append(ReadTask(split, tuple(urls[start : start + IMAGES_PER_TASK]), root=root))
        else:
            if config.format == "csv":
                types = types or csv_rows.infer(urls[0], config)
            tasks += [ReadTask(split, (url,), types=types) for url in urls]
    return tasks


def read(task: ReadTask, config: DataConfig) -> Iterator[Row | BadRow]:
    """Read the task's files.

    Raises:
        DataError: a file is unusable as a whole.
    """
    for url in task.files:
        if config.format == "csv":
            yield from csv_rows.read(url, config, task.types)
        elif config.format == "tfrecord":
            yield from tfrecord_rows.read(url, config)
        elif config.format == "images":
            yield from image_rows.read(url, config, task.root)
        else:
            yield from idx_rows.read(url, task.labels, config)
