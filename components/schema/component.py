"""The TFX component: a reviewed schema is imported; before there is one, it is inferred once and kept."""

import hashlib
import json
from pathlib import Path
from typing import Any

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import artifact_utils, standard_artifacts

from components.driver import PropertyDriver
from components.names import SCHEMA_FILE
from components.schema.config import SchemaConfig
from components.schema.infer import (
    add_comparators,
    classes_of,
    infer,
    load_statistics,
    make_optional,
    read_schema,
    write_schema,
)


class SchemaDriver(PropertyDriver):
    """Tells TFX's cache what the reviewed schema says, before it looks for an earlier result."""

    def look_up(self, exec_properties: dict[str, Any], input_dict: dict[str, Any]) -> dict[str, str]:
        """Set `reviewed` to the digest of the reviewed schema, or to "" while it equals the inferred one."""
        return {"reviewed": reviewed_digest(exec_properties["schema_path"], exec_properties["inferred_path"])}


def reviewed_digest(schema_path: str, inferred_path: str) -> str:
    """Digest the reviewed schema; "" if there is none, or if it equals the inferred one."""
    reviewed, inferred = _text(schema_path), _text(inferred_path)
    return "" if reviewed in ("", inferred) else hashlib.sha256(reviewed.encode()).hexdigest()


def _text(path: str) -> str:
    return Path(path).read_text() if Path(path).is_file() else ""


@component
def SchemaGen(  # noqa: N802  (a component's name is its class name)
    statistics: InputArtifact[standard_artifacts.ExampleStatistics],
    schema: OutputArtifact[standard_artifacts.Schema],
    schema_path: Parameter[str],
    inferred_path: Parameter[str],
    label: Parameter[str],
    classes: Parameter[str],
    schema_config: Parameter[str],
    optional: Parameter[str],
    code_digest: Parameter[str],
    reviewed: Parameter[str] = "",
) -> None:
    """Write the schema that the rest of the run uses.

    Args:
        statistics: of every split.
        schema: the result, `schema.pbtxt`.
        schema_path: the reviewed schema; used if it exists.
        inferred_path: where the schema inferred on the first run is kept until it is reviewed.
        label: the label's feature name.
        classes: JSON list of the label's classes, or `null` to take those observed.
        schema_config: JSON of `SchemaConfig`.
        optional: JSON list of the features that an example may lack, because there is a policy for that.
        code_digest: part of the cache key.
        reviewed: part of the cache key, set by the driver.
    """
    del code_digest, reviewed
    source = next((path for path in (schema_path, inferred_path) if Path(path).is_file()), None)
    if source is None:
        splits = artifact_utils.decode_split_names(statistics.split_names)
        splits.sort(key=lambda split: split != "train")
        inferred = infer(
            [load_statistics(statistics.uri, split) for split in splits], label, json.loads(classes)
        )
        write_schema(inferred, inferred_path)
        source = inferred_path
    loaded = read_schema(source)
    classes_of(loaded, label)
    add_comparators(loaded, SchemaConfig.model_validate_json(schema_config))
    make_optional(loaded, json.loads(optional))
    write_schema(loaded, Path(schema.uri) / SCHEMA_FILE)


SchemaGen.DRIVER_CLASS = SchemaDriver
