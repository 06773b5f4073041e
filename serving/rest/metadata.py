"""Writes status and metadata as JSON, with every field present, as in TensorFlow Serving."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf import json_format

from serving.errors import Code
from serving.manager.state import Status


def status(statuses: Sequence[Status]) -> bytes:
    """Return the response to a status request; versions are strings, as in protobuf's JSON."""
    return (json.dumps({"model_version_status": _states(statuses)}, indent=1) + "\n").encode()


def models(statuses: Mapping[str, Sequence[Status]]) -> bytes:
    """Return the list of all models, each with the states of its versions; TensorFlow Serving has no such request."""
    listed = [{"name": name, "model_version_status": _states(found)} for name, found in statuses.items()]
    return (json.dumps({"models": listed}, indent=1) + "\n").encode()


def about(version: str) -> bytes:
    """Return what `GET /` tells: what this is, and where to go on."""
    document = {
        "server": f"Slipway {version}, TensorFlow Serving's API",
        "models": "/v1/models",
        "predict": "POST /v1/models/NAME:predict",
        "health": ["/healthz/live", "/healthz/ready"],
    }
    return (json.dumps(document, indent=1) + "\n").encode()


def _states(statuses: Sequence[Status]) -> list[dict[str, Any]]:
    return [
        {
            "version": str(entry.version),
            "state": entry.state.name,
            "status": {"error_code": Code(entry.code).name, "error_message": entry.message},
        }
        for entry in statuses
    ]


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
