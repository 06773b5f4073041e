"""The TFX component of the data gate, after ExampleValidator."""

import json
from pathlib import Path

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import artifact_utils, standard_artifacts

from components.artifacts import VerdictArtifact
from components.names import DATA_GATE, SCHEMA_FILE, SPLIT_PREFIX
from components.schema.config import SchemaConfig
from components.schema.infer import load_statistics, read_statistics
from components.schema.text import classes_of, read_schema
from components.validate.gate import class_checks, column_checks, compare, read_anomalies, unread_note
from components.verdict import judge, write_verdict
from serving.release.digest import file_digests, model_digest


@component
def DataGate(  # noqa: N802  (a component's name is its class name)
    statistics: InputArtifact[standard_artifacts.ExampleStatistics],
    schema: InputArtifact[standard_artifacts.Schema],
    anomalies: InputArtifact[standard_artifacts.ExampleAnomalies],
    verdict: OutputArtifact[VerdictArtifact],
    schema_config: Parameter[str],
    read: Parameter[str],
    named_classes: Parameter[str],
    code_digest: Parameter[str],
) -> None:
    """Judge the data: an anomaly of a column that is read, and skew or drift above its threshold, refuses it.

    Args:
        statistics: of every split.
        schema: with its comparators.
        anomalies: as ExampleValidator found them.
        verdict: the result, with the digest of the statistics.
        schema_config: JSON of `SchemaConfig`, for the statistics to compare with.
        read: JSON object, the columns that some stage reads, each with what names it.
        named_classes: JSON object, the classes that the configuration names, each with what names it.
        code_digest: part of the cache key.
    """
    del code_digest
    config = SchemaConfig.model_validate_json(schema_config)
    columns = json.loads(read)
    splits = sorted(artifact_utils.decode_split_names(anomalies.split_names))
    expected = read_schema(Path(schema.uri) / SCHEMA_FILE)
    by_split = {split: load_statistics(statistics.uri, split) for split in splits}
    found = {
        split: read_anomalies(Path(anomalies.uri) / f"{SPLIT_PREFIX}{split}" / "SchemaDiff.pb")
        for split in splits
    }
    checks = column_checks(expected, by_split, found, columns)
    if named := json.loads(named_classes):
        label = next(column for column, reader in columns.items() if reader == "data.label")
        checks.extend(class_checks(classes_of(expected, label), named))
    paths = {
        "serving_statistics": config.serving_statistics,
        "previous_statistics": config.previous_statistics,
    }
    sources = {name: read_statistics(path) for name, path in paths.items() if path}
    checks.extend(compare(by_split["train"], expected, sources))
    note = unread_note(expected, by_split, columns)
    digest = model_digest(file_digests(statistics.uri))
    judged = judge(DATA_GATE, digest, checks, notes=(note,) if note else ())
    if note and judged.passed:
        judged = judged.model_copy(update={"summary": f"{judged.headline()}; {note}", "notes": ()})
    write_verdict(judged, verdict.uri)
