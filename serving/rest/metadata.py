"""Writes status and metadata as JSON, with every field present, as in TensorFlow Serving."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf import json_format

from serving.errors import Code
from serving.manager.state import Status


def status(statuses: Sequence[Status]) -> bytes:
    """Return the response to a status request; versions are strings, as in protobuf's JSON."""
    entries = [
        {
            "version": str(entry.version),
            "state": entry.state.name,
            "status": {"error_code": Code(entry.code).name, "error_message": entry.message},
        }
        for entry in statuses
    ]
    return (json.dumps({"model_version_status": entries}, indent=1) + "\n").encode()


def metadata(name: str, version: int, signature_defs: Mapping[str, Any]) -> bytes:
    """Return the response to a metadata request."""
    definitions = {
        key: json_format.MessageToDict(
            definition, always_print_fields_with_no_presence=True, preserving_proto_field_name=True
        )
        for key, definition in signature_defs.items()
    }
    document = {
        "model_spec": {"name": name, "signature_name": "", "version": str(version)},
        "metadata": {"signature_def": {"signature_def": definitions}},
    }
    return (json.dumps(document, indent=1) + "\n").encode()
