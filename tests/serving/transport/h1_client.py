"""An HTTP/1.1 server with an application to test it by, and clients that send what they are told to."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import uvloop

from serving.client.local import free_port
from serving.transport.http1.connection import HttpConnection
from serving.transport.http1.message import Answer, HttpLimits, Request
from serving.transport.inflight import Inflight
from serving.transport.listener import Listener
from serving.transport.patience import Patience

LIMITS = HttpLimits(body_bytes=1000, head_bytes=2000, idle_seconds=1.5, patience=Patience(1.0, 1000.0, 4.0))


class Echo:
    """Answers a POST with its body after a while, and anything else at once with its path."""

    def __init__(self) -> None:
        self.abandoned = 0
        self.running = 0

    def answer_at_once(self, request: Request) -> Answer | None:
        if request.path == "/no":
            return Answer(401, b"no")
        return None if request.method == "POST" else Answer(200, request.path.encode())

    async def answer(self, request: Request) -> Answer:
        if request.path == "/fault":
            raise RuntimeError("boom")
        if request.path == "/large":
            return Answer(200, b"x" * (8 << 20))
        self.running += 1
        try:
            await asyncio.sleep(0.3 if request.path == "/slow" else 0)
        except asyncio.CancelledError:
            self.abandoned += request.abandoned
            raise
        finally:
            self.running -= 1
        body = request.body if isinstance(request.body, bytes) else b"".join(request.body)
        return Answer(429, b"too large") if request.oversized else Answer(200, body)


@contextlib.asynccontextmanager
async def served(
    application: Echo | None = None, limits: HttpLimits = LIMITS, inflight: Inflight | None = None
) -> AsyncIterator[tuple[int, Listener]]:
    port = free_port()
    listener = Listener(lambda own: HttpConnection(application or Echo(), limits, own))
    listener.inflight = inflight or listener.inflight
    listener.bind("", port, None, "--rest_api_port")
    await listener.start()
    try:
        yield port, listener
    finally:
        await listener.stop(2)


@contextlib.asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def exchange(port: int, *parts: bytes, pause: float = 0.0) -> bytes:
    """What comes back for these bytes until the server closes, or is silent for a while."""
    got = b""
    async with connected(port) as (reader, writer):
        with contextlib.suppress(TimeoutError, ConnectionError):
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(pause)
        with contextlib.suppress(TimeoutError, ConnectionError):
            while data := await asyncio.wait_for(reader.read(1 << 20), 0.7):
                got += data
    return got


def run(main: Coroutine[Any, Any, None]) -> None:
    uvloop.run(asyncio.wait_for(main, 30))


def post(path: str, body: bytes, *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def statuses(got: bytes) -> list[int]:
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d+) ", got)]
