"""The TFX component of the data gate, after ExampleValidator."""

from pathlib import Path

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import artifact_utils, standard_artifacts

from components.artifacts import VerdictArtifact
from components.names import DATA_GATE, SCHEMA_FILE, SPLIT_PREFIX
from components.schema.config import SchemaConfig
from components.schema.infer import load_statistics, read_schema, read_statistics
from components.validate.gate import anomaly_checks, compare, read_anomalies
from components.verdict import judge, write_verdict
from serving.release.digest import file_digests, model_digest


@component
def DataGate(  # noqa: N802  (a component's name is its class name)
    statistics: InputArtifact[standard_artifacts.ExampleStatistics],
    schema: InputArtifact[standard_artifacts.Schema],
    anomalies: InputArtifact[standard_artifacts.ExampleAnomalies],
    verdict: OutputArtifact[VerdictArtifact],
    schema_config: Parameter[str],
    code_digest: Parameter[str],
) -> None:
    """Judge the data: any anomaly, and skew or drift above its threshold, refuses it and stops the runner.

    Args:
        statistics: of every split.
        schema: with its comparators.
        anomalies: as ExampleValidator found them.
        verdict: the result, with the digest of the statistics.
        schema_config: JSON of `SchemaConfig`, for the statistics to compare with.
        code_digest: part of the cache key.
    """
    del code_digest
    config = SchemaConfig.model_validate_json(schema_config)
    checks = []
    for split in sorted(artifact_utils.decode_split_names(anomalies.split_names)):
        found = read_anomalies(Path(anomalies.uri) / f"{SPLIT_PREFIX}{split}" / "SchemaDiff.pb")
        checks.extend(anomaly_checks(split, found))
    paths = {
        "serving_statistics": config.serving_statistics,
        "previous_statistics": config.previous_statistics,
    }
    sources = {name: read_statistics(path) for name, path in paths.items() if path}
    checks.extend(
        compare(
            load_statistics(statistics.uri, "train"), read_schema(Path(schema.uri) / SCHEMA_FILE), sources
        )
    )
    digest = model_digest(file_digests(statistics.uri))
    write_verdict(judge(DATA_GATE, digest, checks), verdict.uri)
