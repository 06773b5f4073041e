"""The Beam pipeline: tasks are read, split and written as gzipped TFRecord, in memory that does not grow.

In process, rows are never grouped or reshuffled, because that runner keeps what it shuffles in memory: every bundle
streams into files of its own. On a cluster they are reshuffled, so that one file of raw data becomes a file for each
partition: later stages read several gzipped files in parallel, but one only as a whole.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from components.ingest.config import DataConfig
from components.ingest.report import Report, merge
from components.ingest.rows import BadRow, DataError, Skipped
from components.ingest.split import SplitError, split_of, split_rule
from components.ingest.tasks import ReadTask, plan, read
from components.names import INGEST_FILE, SPLIT_PREFIX


class _Read(beam.DoFn):  # type: ignore[misc]  # Beam has no types
    """Reads tasks; yields examples tagged by split, and one report a bundle."""

    def __init__(self, config: DataConfig, rule: Mapping[str, Any]) -> None:
        self._config = config
        self._rule = rule

    def start_bundle(self) -> None:
        self._report = Report()

    def process(self, task: ReadTask) -> Iterator[Any]:
        try:
            for item in read(task, self._config):
                if isinstance(item, Skipped):
                    self._report.skip(item.source)
                    continue
                if isinstance(item, BadRow):
                    self._report.refuse(item)
                    continue
                try:
                    split = task.split or split_of(item.values, self._rule, group=bool(self._config.split_by))
                except SplitError as error:
                    self._report.refuse(BadRow(item.source, item.row, str(error)))
                    continue
                self._report.add(split, item.label, item.converted)
                yield beam.pvalue.TaggedOutput(split, item.example)
        except DataError as error:
            self._report.give_up(error)

    def finish_bundle(self) -> Iterator[Any]:
        window = GlobalWindow()
        report = WindowedValue(self._report, window.max_timestamp(), [window])
        yield beam.pvalue.TaggedOutput("report", report)


class _WriteReport(beam.DoFn):  # type: ignore[misc]  # Beam has no types
    def __init__(self, config: DataConfig, rule: Mapping[str, Any], listed: Report, path: str) -> None:
        self._config = config
        self._rule = rule
        self._listed = listed
        self._path = path

    def process(self, reports: Iterable[Report]) -> None:
        with FileSystems.create(self._path) as file:
            content = {**merge([self._listed, *reports]).as_json(self._config), "split": self._rule}
            file.write(json.dumps(content, indent=2).encode())


def write(config: DataConfig, inputs: Sequence[str], uri: str, pipeline: beam.Pipeline) -> dict[str, Any]:
    """Run the pipeline: raw data to `<uri>/Split-<name>/data_tfrecord-….gz` and `<uri>/ingest.json`.

    Args:
        config: the data's configuration.
        inputs: the raw features that the model reads; the split goes by them.
        uri: where to write, any of Beam's file systems.
        pipeline: an empty Beam pipeline; it is run here.

    Returns:
        The content of `ingest.json`, not judged yet.

    Raises:
        DataError: there are no files, or the first CSV file cannot be understood.
    """
    found, names, rule = plan(config, inputs), config.split_names(), split_rule(config, inputs)
    report = FileSystems.join(uri, INGEST_FILE)
    with pipeline:
        outputs = (
            pipeline
            | "Tasks" >> beam.Create(found.tasks)
            | "Read" >> beam.ParDo(_Read(config, rule)).with_outputs("report", *names)
        )
        for name in names:
            rows = outputs[name]
            if not isinstance(pipeline.runner, FnApiRunner):
                rows |= f"Spread[{name}]" >> beam.Reshuffle()
            prefix = FileSystems.join(uri, SPLIT_PREFIX + name, "data_tfrecord")
            rows | f"Write[{name}]" >> beam.io.WriteToTFRecord(prefix, file_name_suffix=".gz")
        (
            outputs["report"]
            | "Key" >> beam.Map(lambda part: (None, part))
            | "Gather" >> beam.GroupByKey()
            | "Parts" >> beam.Values()
            | "WriteReport"
            >> beam.ParDo(_WriteReport(config, rule, Report(found.skipped, found.notes), report))
        )
    with FileSystems.open(report) as file:
        return dict(json.loads(file.read()))
