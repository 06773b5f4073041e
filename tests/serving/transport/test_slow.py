"""Clients that take their time: the good ones are waited for, and nobody pins what the server holds for them."""

import asyncio
import time

import pytest

from serving.transport.http1.message import HttpLimits
from serving.transport.http2 import frames
from serving.transport.http2.connection import Http2Limits
from serving.transport.http2.frames import ErrorCode, Setting
from serving.transport.patience import Pace, Patience
from tests.serving.transport import h1_client, h2_client
from tests.serving.transport.h1_client import run, statuses
from tests.serving.transport.test_http2 import setting

#: A second of silence and 100 KB/s; the servers look once a second.
QUICK = Patience(1.0, 100_000.0, 6.0)
REST = HttpLimits(body_bytes=1 << 26, patience=QUICK)
GRPC = Http2Limits(streams=100, patience=QUICK)


def lasts(sizes: dict[float, int], patience: Patience | None = None, share: float = 1.0) -> float:
    """How long a client is waited for that has sent so many bytes at these times, and then is silent."""
    pace = Pace(patience or Patience(), 0.0)
    for now in range(2000):
        if pace.is_too_slow(now, max((size for at, size in sizes.items() if at <= now), default=0), share):
            return now
    return 2000


def test_how_long_a_client_is_waited_for() -> None:
    assert lasts({}) == 31
    assert lasts({0: 40_000_000}) == 31, "what was sent at once buys no silence"
    assert lasts({20: 1_000_000}) == 51
    phone = {float(now): 32_768 * now for now in range(33)}
    assert lasts(phone) > 32, "a megabyte at 32 KiB a second"
    assert lasts({float(now): 16_384 * now for now in range(2000)}) == 601, "however steadily"
    assert lasts({float(now): 8_192 * now for now in range(2000)}) == 61
    assert lasts({float(now): now for now in range(2000)}) == 31, "a byte at a time"
    assert lasts({float(now): 8_192 * now for now in range(2000)}, share=0.5) == 601, "one of two streams"


@pytest.mark.parametrize("sent", [0, 3_000_000])
def test_rest_bodies_that_stop_coming(sent: int) -> None:
    async def main() -> None:
        async with (
            h1_client.served(limits=REST) as (port, _),
            h1_client.connected(port) as (reader, writer),
        ):
            writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n" + bytes(sent))
            began = time.monotonic()
            assert statuses(await asyncio.wait_for(reader.read(), 10)) == [408]
            assert 1 < time.monotonic() - began < 4

    run(main())


def test_rest_bodies_that_come_slowly_but_surely() -> None:
    async def main() -> None:
        async with h1_client.served(limits=REST) as (port, _), h1_client.connected(port) as (reader, writer):
            writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
            for _ in range(20):
                await asyncio.sleep(0.2)
                writer.write(bytes(50_000))
            assert statuses(await asyncio.wait_for(reader.readuntil(b"\r\n"), 10)) == [200]

    run(main())


@pytest.mark.parametrize("taken", [0, 1])
def test_rest_answers_that_are_not_taken(taken: int) -> None:
    async def main() -> None:
        async with (
            h1_client.served(limits=REST) as (port, listener),
            h1_client.connected(port) as (reader, writer),
        ):
            writer.write(h1_client.post("/large", b"") * 2)
            began = time.monotonic()
            while listener.connections:
                await reader.read(taken)
                await asyncio.sleep(0.05)
                assert time.monotonic() - began < 5
            assert time.monotonic() - began > 1

    run(main())


def test_rest_answers_that_are_taken_slowly_but_surely() -> None:
    async def main() -> None:
        async with h1_client.served(limits=REST) as (port, _), h1_client.connected(port) as (reader, writer):
            writer.write(h1_client.post("/large", b"", "Connection: close"))
            got = 0
            while part := await reader.read(1 << 17):
                got += len(part)
                await asyncio.sleep(0.03)
            assert got > 8 << 20

    run(main())


@pytest.mark.parametrize("path", [h2_client.ECHO, h2_client.MANY])
def test_grpc_messages_that_stop_coming(path: str) -> None:
    async def main() -> None:
        async with h2_client.served(GRPC) as (port, _), h2_client.connected(port) as client:
            client.send(frames.HEADERS, frames.END_HEADERS, 1, client.head(path))
            client.send(frames.DATA, 0, 1, b"\0" + frames.long(50_000) + bytes(10_000))
            assert await client.status(1) == (b"", -ErrorCode.CANCEL)
            client.call(3, b"the connection goes on")
            assert await client.status(3) == (b"the connection goes on", 0)

    run(main())


def test_a_stream_of_messages_may_pause_between_them() -> None:
    async def main() -> None:
        async with h2_client.served(GRPC) as (port, _), h2_client.connected(port) as client:
            client.send(frames.HEADERS, frames.END_HEADERS, 1, client.head(h2_client.MANY))
            await asyncio.sleep(3)
            client.send(frames.DATA, frames.END_STREAM, 1, b"\0" + frames.long(1) + b"x")
            assert (await client.status(1))[1] == 0

    run(main())


@pytest.mark.parametrize("increment", [0, 1])
def test_grpc_answers_that_are_not_taken(increment: int) -> None:
    """The window stays shut, or opens by a byte now and then."""

    async def main() -> None:
        shut = setting(Setting.INITIAL_WINDOW_SIZE, 0)
        async with h2_client.served(GRPC) as (port, _), h2_client.connected(port, shut) as client:

            async def trickle() -> None:
                while increment:
                    client.send(frames.WINDOW_UPDATE, 0, 1, frames.long(increment))
                    await asyncio.sleep(0.1)

            opening = asyncio.ensure_future(trickle())
            client.call(1, b"500000", h2_client.GROW)
            began = time.monotonic()
            assert await client.status(1) == (b"", -ErrorCode.CANCEL)
            assert 1 < time.monotonic() - began < 4
            opening.cancel()

    run(main())


def test_grpc_answers_that_are_taken_slowly_but_surely() -> None:
    """Several share the connection, and each needs only its part of the rate."""

    async def main() -> None:
        async with h2_client.served(GRPC) as (port, _), h2_client.connected(port) as client:
            for number in (1, 3, 5, 7):
                client.call(number, b"150000", h2_client.GROW)
                client.send(frames.WINDOW_UPDATE, 0, number, frames.long(1 << 20))

            async def open_slowly() -> None:
                while True:
                    await asyncio.sleep(0.1)
                    client.send(frames.WINDOW_UPDATE, 0, 0, frames.long(15_000))

            opening = asyncio.ensure_future(open_slowly())
            ended = 0
            while ended < 4:
                kind, flags, _, _ = await client.frame()
                assert kind in (frames.HEADERS, frames.DATA)
                ended += kind == frames.HEADERS and flags & frames.END_STREAM
            opening.cancel()

    run(main())


@pytest.mark.parametrize("what", ["the socket is not read", "a header block has no end"])
def test_grpc_connections_that_stand_still(what: str) -> None:
    async def main() -> None:
        async with h2_client.served(GRPC) as (port, methods):
            wide = setting(Setting.INITIAL_WINDOW_SIZE, 2**31 - 1)
            async with h2_client.connected(port, wide) as client:
                if what == "a header block has no end":
                    client.send(frames.HEADERS, 0, 1, client.head())
                else:
                    client.writer.transport.pause_reading()  # type: ignore[attr-defined]
                    client.send(frames.WINDOW_UPDATE, 0, 0, frames.long(2**30))
                    client.call(1, b"40000000", h2_client.GROW)
                began = time.monotonic()
                await asyncio.sleep(0.5)
                assert methods.served.connections
                while methods.served.connections:
                    await asyncio.sleep(0.05)
                    assert time.monotonic() - began < 5

    run(main())
