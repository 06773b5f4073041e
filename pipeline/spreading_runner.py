"""Beam's portable runner, with one thing changed: what is read is spread over the workers.

On Flink and Spark a source is split, and then all of its splits are read in the one partition that split it, because
a `Read` has no shuffle in it: one core works, and the whole output of the stage is one bundle. Beam's Flink runner
(2.62) keeps a bundle's output until the bundle is done, at most 100 messages of 10 MB, and then waits forever for
its end (Beam's pull request 40721 describes it).
"""

from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from apache_beam.io.iobase import BoundedSource, Read, SourceBundle
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.portable_runner import PortableRunner

_SPLIT_BYTES = 64 << 20


class SpreadingRunner(PortableRunner):  # type: ignore[misc]  # Beam is untyped
    """Reads every bounded source spread over the workers; `--runner` takes its full name."""

    def apply_PTransform(  # noqa: N802  # Beam's name
        self, transform: beam.PTransform, pvalueish: Any, options: PipelineOptions
    ) -> Any:
        """Apply a transform; a bounded source is read spread over the workers."""
        if isinstance(transform, Read) and isinstance(transform.source, BoundedSource):
            return _read_spread(pvalueish, transform.source)
        return super().apply_PTransform(transform, pvalueish, options)


def _read_spread(begin: beam.pvalue.PBegin, source: BoundedSource) -> beam.PCollection:
    return (
        begin
        | beam.Impulse()
        | "Split" >> beam.FlatMap(_splits, source)
        | "Spread" >> beam.Reshuffle()
        | "Read" >> beam.FlatMap(_read).with_output_types(source.default_output_coder().to_type_hint())
    )


def _splits(_: bytes, source: BoundedSource) -> Iterator[SourceBundle]:
    yield from source.split(_SPLIT_BYTES)


def _read(split: SourceBundle) -> Iterator[Any]:
    tracker = split.source.get_range_tracker(split.start_position, split.stop_position)
    yield from split.source.read(tracker)
