"""The TFX component: a reviewed schema is imported; before there is one, it is inferred once and kept."""

import json
from pathlib import Path
from typing import Any

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import artifact_utils, standard_artifacts

from components.driver import PropertyDriver
from components.names import SCHEMA_FILE
from components.schema.config import SchemaConfig
from components.schema.infer import add_comparators, all_statistics, infer, make_optional, set_aside
from components.schema.text import (
    check_classes,
    kept_digest,
    read_schema,
    schema_in_use,
    write_inferred,
    write_schema,
)


class SchemaDriver(PropertyDriver):
    """Tells TFX's cache what the kept schema says, before it looks for an earlier result."""

    def look_up(self, exec_properties: dict[str, Any], input_dict: dict[str, Any]) -> dict[str, str]:
        """Set `kept` to the digest of the schema that counts, or to "" while it is what the first run inferred."""
        return {"kept": kept_digest(exec_properties["schema_path"], exec_properties["inferred_path"])}


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
    read: Parameter[str],
    code_digest: Parameter[str],
    kept: Parameter[str] = "",
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
        read: JSON object, the columns that some stage reads, each with what names it.
        code_digest: part of the cache key.
        kept: part of the cache key, set by the driver.
    """
    del code_digest, kept
    source = schema_in_use(schema_path, inferred_path)
    if source is None:
        splits = artifact_utils.decode_split_names(statistics.split_names)
        write_inferred(
            infer(all_statistics(statistics.uri, splits), label, json.loads(classes)), inferred_path
        )
        source = Path(inferred_path)
    loaded = read_schema(source)
    check_classes(loaded, source, label, json.loads(classes))
    add_comparators(loaded, SchemaConfig.model_validate_json(schema_config))
    make_optional(loaded, json.loads(optional))
    set_aside(loaded, json.loads(read))
    write_schema(loaded, Path(schema.uri) / SCHEMA_FILE)


SchemaGen.DRIVER_CLASS = SchemaDriver
