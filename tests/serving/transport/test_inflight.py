"""What a server holds for its clients has an end, and all of it is given back, however a request ends."""

import asyncio
import gzip
import json

import pytest

from serving.transport.http1.message import HttpLimits
from serving.transport.http2 import frames
from serving.transport.http2.connection import Http2Limits
from serving.transport.http2.frames import Setting
from serving.transport.inflight import Inflight
from serving.transport.patience import Patience
from tests.serving.transport import h1_client, h2_client
from tests.serving.transport.h1_client import run, statuses
from tests.serving.transport.test_http2 import setting

MIB = 1 << 20
EXHAUSTED = 8
WIDE = HttpLimits(body_bytes=64 * MIB)


async def until_nothing_is_held(inflight: Inflight) -> None:
    for _ in range(100):
        if not inflight.held:
            return
        await asyncio.sleep(0.02)
    assert inflight.held == 0


def head(size: int, *more: str) -> bytes:
    """The head of a request whose body follows, or does not."""
    return h1_client.post("/", b"", *more).replace(b"Content-Length: 0", b"Content-Length: %d" % size)


def test_what_a_connection_and_a_server_may_hold(caplog: pytest.LogCaptureFixture) -> None:
    inflight = Inflight(80 * MIB)
    one, two, three = inflight.account(), inflight.account(), inflight.account()
    assert not one.take(41 * MIB), "more than half"
    assert one.take(40 * MIB)
    assert not two.take(31 * MIB), "the last eighth is kept"
    assert two.take(30 * MIB)
    assert three.take(MIB - 1), "for those with little"
    assert not three.take(1)
    assert inflight.held == 71 * MIB - 1
    one.give(10 * MIB)
    one.close()
    one.give(5)
    one.take(1)
    assert inflight.held == 31 * MIB - 1
    assert len(caplog.messages) == 1, "the log is not flooded"
    assert "--max_inflight_bytes" in caplog.text


def test_rest_bodies_are_refused_for_which_there_is_no_room() -> None:
    async def main() -> None:
        inflight = Inflight(8 * MIB)
        async with h1_client.served(limits=WIDE, inflight=inflight) as (port, _):
            async with h1_client.connected(port) as (_, one), h1_client.connected(port) as (_, two):
                for writer in (one, two):
                    writer.write(head(4 * MIB) + bytes(7 * MIB // 2 - 100_000))
                    await writer.drain()
                await asyncio.sleep(0.2)
                assert inflight.held == 7 * MIB - 200_000
                for sent in (  # what says how large it is, and what does not
                    h1_client.post("/", bytes(2 * MIB)),
                    head(0, "Transfer-Encoding: chunked").replace(b"Content-Length: 0\r\n", b"")
                    + (b"100000\r\n" + bytes(MIB) + b"\r\n") * 2
                    + b"0\r\n\r\n",
                ):
                    got = await h1_client.exchange(port, sent + h1_client.post("/", b"small"))
                    assert statuses(got) == [503, 200], "the connection goes on, and what is small is served"
                    body = got.partition(b"\r\n\r\n")[2].partition(b"HTTP/1.1")[0]
                    assert "--max_inflight_bytes" in json.loads(body)["error"]
                    assert b"retry-after: 1" in got
                waits = await h1_client.exchange(port, head(2 * MIB, "Expect: 100-continue"))
                assert statuses(waits) == [503], "before it sends a byte"
            await until_nothing_is_held(inflight)
            assert statuses(await h1_client.exchange(port, h1_client.post("/", bytes(2 * MIB)))) == [200]
            assert statuses(await h1_client.exchange(port, h1_client.post("/", bytes(5 * MIB)))) == [503]
            await until_nothing_is_held(inflight)

    run(main())


def test_rest_requests_are_given_back_however_they_end() -> None:
    async def main() -> None:
        inflight = Inflight(8 * MIB)
        limits = HttpLimits(body_bytes=MIB, patience=Patience(0.5))
        async with h1_client.served(limits=limits, inflight=inflight) as (port, _):
            async with h1_client.connected(port) as (reader, writer):
                writer.write(h1_client.post("/slow", bytes(1000)) * 3)
                await asyncio.sleep(0.1)
                assert inflight.held == 3000
            await until_nothing_is_held(inflight)
            for sent, status in (
                (h1_client.post("/fault", bytes(1000)), 500),
                (head(1000) + bytes(900), 408),
                (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nx", 400),
                (h1_client.post("/no", bytes(1000)), 401),
                (h1_client.post("/", bytes(1000), "Connection: close") * 2, 200),
            ):
                async with h1_client.connected(port) as (reader, writer):
                    writer.write(sent)
                    assert statuses(await asyncio.wait_for(reader.readuntil(b"\r\n"), 5)) == [status]
                    await until_nothing_is_held(inflight)

    run(main())


def test_rest_answers_count_until_they_are_taken() -> None:
    async def main() -> None:
        inflight = Inflight(40 * MIB)
        async with h1_client.served(limits=WIDE, inflight=inflight) as (port, _):
            async with h1_client.connected(port) as (reader, writer):
                writer.write(h1_client.post("/large", b""))
                await asyncio.sleep(0.2)
                assert inflight.held == 8 * MIB
                assert len(await reader.readuntil(b"\r\n\r\n")) < 300
                assert await reader.readexactly(8 * MIB) == b"x" * (8 * MIB)
                await until_nothing_is_held(inflight)
                writer.write(h1_client.post("/large", b""))
                await asyncio.sleep(0.2)
                assert inflight.held == 8 * MIB
            await until_nothing_is_held(inflight)
        async with h1_client.served(limits=WIDE, inflight=Inflight(10 * MIB)) as (port, _):
            got = await h1_client.exchange(port, h1_client.post("/large", b"") + h1_client.post("/", b"ok"))
            assert statuses(got) == [503, 200]

    run(main())


async def send_part(client: h2_client.RawClient, number: int, size: int, path: str = h2_client.ECHO) -> None:
    """The beginning of a call: all of its message but a byte."""
    client.send(frames.HEADERS, frames.END_HEADERS, number, client.head(path))
    data = b"\0" + frames.long(size) + bytes(size - 1)
    for start in range(0, len(data), 16_384):
        client.send(frames.DATA, 0, number, data[start : start + 16_384])
        await client.writer.drain()


def test_grpc_messages_are_refused_for_which_there_is_no_room() -> None:
    async def main() -> None:
        inflight = Inflight(2 * MIB)
        async with h2_client.served(inflight=inflight) as (port, _):
            async with h2_client.connected(port) as one, h2_client.connected(port) as two:
                await send_part(one, 1, 900_000)
                await send_part(two, 1, 900_000)
                await asyncio.sleep(0.2)
                assert inflight.held == 1_800_000 + 8
                await send_part(two, 3, 300_000)
                _, _, _, payload = await two.frame()
                refusal = dict(two.decoder.decode(payload, raw=True))
                assert int(refusal[b"grpc-status"]) == EXHAUSTED
                assert b"--max_inflight_bytes" in refusal[b"grpc-message"]
                async with h2_client.connected(port) as other:
                    other.call(1, b"small")
                    assert await other.status(1) == (b"small", 0)
                one.send(frames.RST_STREAM, 0, 1, frames.long(8))
                for number in (0, 1):
                    two.send(frames.WINDOW_UPDATE, 0, number, frames.long(MIB))
                two.send(frames.DATA, frames.END_STREAM, 1, b"x")
                assert (await two.status(1))[1] == 0
                await until_nothing_is_held(inflight)
                await send_part(one, 3, 500_000)
            await until_nothing_is_held(inflight)

    run(main())


def test_grpc_messages_count_as_they_are_once_decompressed() -> None:
    async def main() -> None:
        inflight = Inflight(2 * MIB)
        async with h2_client.served(inflight=inflight) as (port, _), h2_client.connected(port) as client:
            packed = gzip.compress(bytes(3 * MIB))
            client.send(frames.HEADERS, frames.END_HEADERS, 1, client.head(grpc_encoding="gzip"))
            client.send(frames.DATA, frames.END_STREAM, 1, b"\1" + frames.long(len(packed)) + packed)
            assert await client.status(1) == (b"", EXHAUSTED)
            for number, path, message in (
                (3, h2_client.FAIL, b"fault"),
                (5, h2_client.FAIL, b""),
                (7, h2_client.GROW, b"2000000"),
            ):
                client.call(number, message, path)
                assert (await client.status(number))[1] in (13, 9, EXHAUSTED)
                await until_nothing_is_held(inflight)
            for number in range(9, 6009, 2):  # a refusal for want of room is no fault of the client's
                client.call(number, b"2000000", h2_client.GROW)
                assert (await client.status(number))[1] == EXHAUSTED

    run(main())


def test_grpc_answers_count_until_they_are_taken() -> None:
    async def main() -> None:
        inflight = Inflight(2 * MIB)
        shut = setting(Setting.INITIAL_WINDOW_SIZE, 0)
        limits = Http2Limits(streams=100)
        async with (
            h2_client.served(limits, inflight=inflight) as (port, _),
            h2_client.connected(port, shut) as client,
        ):
            for number in (1, 3, 5):
                client.call(number, b"400000", h2_client.GROW)
            assert (await client.status(5))[1] == EXHAUSTED
            assert inflight.held == 800_010, "answers, and a prefix each"
            client.send(frames.WINDOW_UPDATE, 0, 0, frames.long(MIB))
            client.send(frames.WINDOW_UPDATE, 0, 1, frames.long(MIB))
            assert await client.status(1) == (bytes(400_000), 0)
            assert inflight.held == 400_005
            client.send(frames.RST_STREAM, 0, 3, frames.long(8))
            await until_nothing_is_held(inflight)
            client.send(frames.HEADERS, frames.END_HEADERS, 7, client.head(h2_client.MANY))
            for _ in range(10):
                client.send(frames.DATA, 0, 7, b"\0" + frames.long(1000) + bytes(1000))
            await asyncio.sleep(0.1)
            assert inflight.held == 9 * 1000 + 1001, "nine messages and the first of the answers"
            client.send(frames.WINDOW_UPDATE, 0, 7, frames.long(MIB))
            client.send(frames.DATA, frames.END_STREAM, 7)
            await until_nothing_is_held(inflight)

    run(main())
