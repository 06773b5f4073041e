"""tf.Transform run on a few rows."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from apache_beam.options.pipeline_options import PipelineOptions
from tensorflow_transform.tf_metadata import dataset_metadata


def analyzed(
    folder: Path,
    schema: Any,
    rows: Sequence[dict[str, list[Any]]],
    function: Callable[[dict[str, Any]], dict[str, Any]],
) -> Any:
    """Analyze rows with a preprocessing function; returns its TFTransformOutput, kept in the folder."""
    metadata = dataset_metadata.DatasetMetadata(schema)
    options = PipelineOptions(["--runner=FnApiRunner", "--no_pipeline_type_check"])
    with beam.Pipeline(options=options) as p, tft_beam.Context(temp_dir=str(folder / "tmp")):
        result = (p | beam.Create(rows), metadata) | tft_beam.AnalyzeDataset(function)
        _ = result | tft_beam.WriteTransformFn(str(folder / "graph"))
        _ = metadata | tft_beam.WriteMetadata(str(folder / "graph" / "metadata"), p)
    return tft.TFTransformOutput(str(folder / "graph"))
