"""The runner for Flink and Spark, in Beam's own job server in this process: every row once, and spread."""

import gzip
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that, equal_to

from pipeline.spreading_runner import SpreadingRunner

RUNNER = f"{SpreadingRunner.__module__}.{SpreadingRunner.__name__}"
OPTIONS = [f"--runner={RUNNER}", "--job_endpoint=embed", "--environment_type=LOOPBACK"]


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """Two plain files, and one that cannot be split."""
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("".join(f"{name} {n}\n" for n in range(1000)))
    (tmp_path / "c.txt.gz").write_bytes(gzip.compress(b"c 0\nc 1\n"))
    return tmp_path


def test_every_row_is_read_once(lines: Path) -> None:
    expected = [f"{name} {n}" for name in ("a.txt", "b.txt") for n in range(1000)] + ["c 0", "c 1"]
    with beam.Pipeline(options=PipelineOptions(OPTIONS)) as pipeline:
        assert_that(pipeline | beam.io.ReadFromText(f"{lines}/*.txt*"), equal_to(expected))


def test_what_is_read_is_shuffled_between_its_splitting_and_its_reading(lines: Path) -> None:
    pipeline = beam.Pipeline(options=PipelineOptions(OPTIONS))
    _ = pipeline | "Lines" >> beam.io.ReadFromText(f"{lines}/*.txt*")
    transforms = pipeline.to_runner_api().components.transforms.values()
    urns = {one.unique_name: one.spec.urn for one in transforms}
    assert urns["Lines/Read/Spread"] == "beam:transform:reshuffle:v1"
    assert not any("SDFBoundedSourceReader" in name for name in urns), urns


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(OSError, match=r"No files found based on the file pattern .*nothing-\*"),
        beam.Pipeline(options=PipelineOptions(OPTIONS)) as pipeline,
    ):
        _ = pipeline | beam.io.ReadFromText(f"{tmp_path}/nothing-*")
