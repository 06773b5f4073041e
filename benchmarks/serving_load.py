"""A closed loop of clients in a process of its own: each sends its next request when it has the answer to the last.

Prints one line of JSON: requests, seconds, latencies in milliseconds, failures. The clients are bare on purpose, for
HTTP/1.1 and for gRPC alike: on a small machine a comfortable one would take most of the CPU that is to be measured.
"""

import argparse
import asyncio
import base64
import json
import time
from pathlib import Path

import numpy as np

from serving.transport.http2.headers import literal

_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
_END_STREAM = _ACK = 1
_END_HEADERS = 4
_GRPC_HEAD = (
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/tensorflow.serving.PredictionService/Predict"),
    (b":authority", b"localhost"),
    (b"content-type", b"application/grpc"),
    (b"te", b"trailers"),
)


async def _http_client(
    host: str, port: int, request: bytes, until: float, times: list[float], failures: list[str]
) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    while time.perf_counter() < until:
        started = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        lower = head.lower()
        if b"content-length:" in lower:
            length = int(lower.split(b"content-length:")[1].split(b"\r\n")[0])
            body = await reader.readexactly(length)
        else:  # chunked
            body = b""
            while True:
                size = int((await reader.readline()).split(b";")[0], 16)
                chunk = await reader.readexactly(size + 2)
                if not size:
                    break
                body += chunk[:-2]
        times.append(time.perf_counter() - started)
        if b" 200 " not in head.split(b"\r\n")[0]:
            failures.append(body[:200].decode(errors="replace"))
    writer.close()


async def _grpc_client(
    host: str, port: int, request: bytes, until: float, times: list[float], failures: list[str]
) -> None:
    """One call at a time on a connection of its own; enough of HTTP/2 for the answers of a server that keeps to it."""
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(_SETTINGS, 0, 0, b""))
    head = b"".join(literal(name, value) for name, value in _GRPC_HEAD)
    message = b"\0" + len(request).to_bytes(4, "big") + request
    data = [message[start : start + 16384] for start in range(0, len(message), 16384)]
    stream, received = 1, 0
    while time.perf_counter() < until:
        started = time.perf_counter()
        frames = [_frame(_DATA, _END_STREAM if part is data[-1] else 0, stream, part) for part in data]
        if received > 1 << 14:
            frames.append(_frame(_WINDOW_UPDATE, 0, 0, received.to_bytes(4, "big")))
            received = 0
        writer.write(b"".join([_frame(_HEADERS, _END_HEADERS, stream, head), *frames]))
        while True:
            prefix = await reader.readexactly(9)
            length, kind, flags = int.from_bytes(prefix[:3], "big"), prefix[3], prefix[4]
            payload = await reader.readexactly(length)
            if kind == _DATA:
                received += length
            elif kind == _SETTINGS and not flags & _ACK:
                writer.write(_frame(_SETTINGS, _ACK, 0, b""))
            elif kind == _PING and not flags & _ACK:
                writer.write(_frame(_PING, _ACK, 0, payload))
            elif kind in (_RST_STREAM, _GOAWAY):
                raise ConnectionError(f"the server ended the call: {payload!r}")
            elif kind == _HEADERS and flags & _END_STREAM:
                break
        times.append(time.perf_counter() - started)
        if b"grpc-status\x010" not in payload:
            failures.append(payload[:200].decode(errors="replace"))
        stream += 2
    writer.close()


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


async def _run(options: argparse.Namespace) -> None:
    body = base64.b64decode(Path(options.body).read_bytes())
    times: list[float] = []
    failures: list[str] = []
    started = time.perf_counter()
    until = started + options.seconds
    if options.grpc:
        clients = [
            _grpc_client("127.0.0.1", options.port, body, until, times, failures)
            for _ in range(options.clients)
        ]
    else:
        head = (
            f"POST {options.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {options.type}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        request = head.encode() + body
        clients = [
            _http_client("127.0.0.1", options.port, request, until, times, failures)
            for _ in range(options.clients)
        ]
    await asyncio.gather(*clients)
    took = time.perf_counter() - started
    p50, p99 = np.percentile(np.array(times) * 1000, [50, 99])
    print(
        json.dumps(
            {
                "requests": len(times),
                "seconds": took,
                "p50": p50,
                "p99": p99,
                "failures": len(failures),
                "first_failure": failures[0] if failures else None,
            }
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", default="/v1/models/default:predict")
    parser.add_argument("--type", default="application/json")
    parser.add_argument("--body", required=True, help="a file with the request's body in base64")
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--grpc", action="store_true")
    import uvloop

    uvloop.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
