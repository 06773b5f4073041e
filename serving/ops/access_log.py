"""The access log: one line per call, JSON with the field names of the Elastic Common Schema."""

import sys
from datetime import UTC, datetime
from typing import Any, Protocol, TextIO
from urllib.parse import unquote

import orjson

from serving.errors import Code
from serving.transport.http1.message import Request


class Served(Protocol):
    """The model and version of a call, as far as they are known."""

    model: str
    version: int | None


class AccessLog:
    """Writes lines to a stream, standard output by default."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout

    def rest(self, request: Request, status: int, seconds: float, sent: int, served: Served) -> None:
        """Log a REST call."""
        self._write(
            {
                "client.ip": request.peer,
                "http.request.method": request.method,
                "url.path": unquote(request.path),
                "http.response.status_code": status,
                "http.request.body.bytes": request.size,
                "http.response.body.bytes": sent,
                "network.protocol": "http",
                "event.outcome": "success" if status < 400 else "failure",
            },
            seconds,
            served,
        )

    def grpc(
        self, peer: str, method: str, code: Code, seconds: float, received: int, sent: int, served: Served
    ) -> None:
        """Log a gRPC call."""
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
            served,
        )

    def _write(self, entry: dict[str, Any], seconds: float, served: Served) -> None:
        line = {
            "@timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "ecs.version": "8.11.0",
            "event.kind": "event",
            "event.category": ["web"],
            "event.duration": int(seconds * 1e9),
            "service.name": "slipway-serving",
            **entry,
        }
        if served.model:
            line["labels.model"] = served.model
        if served.version is not None:
            line["labels.model_version"] = str(served.version)
        self._stream.write(orjson.dumps(line).decode() + "\n")
        self._stream.flush()
