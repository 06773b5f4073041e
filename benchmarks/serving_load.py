"""A closed loop of clients in a process of its own: each sends its next request when it has the answer to the last.

Prints one line of JSON: requests, seconds, latencies in milliseconds, failures. The HTTP client is bare on purpose:
on a small machine a comfortable one would take most of the CPU that is to be measured.
"""

import argparse
import asyncio
import base64
import json
import time
from pathlib import Path

import grpc
import numpy as np


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
    target: str, request: bytes, until: float, times: list[float], failures: list[str]
) -> None:
    async with grpc.aio.insecure_channel(target, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
        while time.perf_counter() < until:
            started = time.perf_counter()
            try:
                await call(request)
            except grpc.aio.AioRpcError as error:
                failures.append(error.details() or str(error.code()))
            times.append(time.perf_counter() - started)


async def _run(options: argparse.Namespace) -> None:
    body = base64.b64decode(Path(options.body).read_bytes())
    times: list[float] = []
    failures: list[str] = []
    started = time.perf_counter()
    until = started + options.seconds
    if options.grpc:
        clients = [
            _grpc_client(f"127.0.0.1:{options.port}", body, until, times, failures)
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
