"""A line for each call: JSON with the field names of the Elastic Common Schema."""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol, TextIO

import orjson

from serving.errors import Code


class Served(Protocol):
    """What a call turned out to be for."""

    model: str
    version: int | None


class AccessLog:
    """Writes lines to a stream, standard output by default."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout

    def rest(self, scope: Mapping[str, Any], status: int, seconds: float, received: int, sent: int) -> None:
        """A REST call."""
        client = scope.get("client") or ("", 0)
        self._write(
            {
                "client.ip": client[0],
                "http.request.method": scope["method"],
                "url.path": scope["path"],
                "http.response.status_code": status,
                "http.request.body.bytes": received,
                "http.response.body.bytes": sent,
                "network.protocol": "http",
                "event.outcome": "success" if status < 400 else "failure",
            },
            seconds,
            scope.get("slipway.model", ""),
            scope.get("slipway.version"),
        )

    def grpc(
        self, peer: str, method: str, code: Code, seconds: float, received: int, sent: int, call: Served
    ) -> None:
        """A gRPC call."""
        self._write(
            {
                "client.address": peer,
                "url.path": method,
                "grpc.status_code": code.name,
                "http.request.body.bytes": received,
                "http.response.body.bytes": sent,
                "network.protocol": "grpc",
                "event.outcome": "success" if code is Code.OK else "failure",
            },
            seconds,
            call.model,
            call.version,
        )

    def _write(self, entry: dict[str, Any], seconds: float, model: str, version: int | None) -> None:
        line = {
            "@timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "ecs.version": "8.11.0",
            "event.kind": "event",
            "event.category": ["web"],
            "event.duration": int(seconds * 1e9),
            "service.name": "slipway-serving",
            **entry,
        }
        if model:
            line["labels.model"] = model
        if version is not None:
            line["labels.model_version"] = str(version)
        self._stream.write(orjson.dumps(line).decode() + "\n")
        self._stream.flush()
