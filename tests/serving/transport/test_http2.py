"""The gRPC port: what real clients send, and what only hostile ones do."""

import asyncio
import gzip
import random
import struct
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import grpc
import pytest
import uvloop

from serving.transport.http2 import frames
from serving.transport.http2.connection import Http2Limits
from serving.transport.http2.frames import ErrorCode, Setting
from serving.transport.inflight import Inflight
from tests.serving.transport.h2_client import ECHO, FAIL, MANY, MAX_MESSAGE, SLOW, connected, served

UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
CALM = ErrorCode.ENHANCE_YOUR_CALM


def run(main: Coroutine[Any, Any, None]) -> None:
    uvloop.run(asyncio.wait_for(main, 60))


def setting(name: Setting, value: int) -> bytes:
    return struct.pack(">HL", name, value)


def test_a_client_library_agrees(tmp_path: Path) -> None:
    async def main() -> None:
        async with served(unix_path=str(tmp_path / "s")) as (port, _):
            for target in (f"127.0.0.1:{port}", f"unix:{tmp_path / 's'}"):
                async with grpc.aio.insecure_channel(target, options=UNLIMITED) as channel:
                    echo = channel.unary_unary(ECHO)
                    assert await echo(b"") == b""
                    large = random.Random(1).randbytes(40 << 20)
                    assert await echo(large, timeout=30) == large
                    answers = await asyncio.gather(*(echo(b"%d" % n) for n in range(300)))
                    assert answers == [b"%d" % n for n in range(300)]
                    many = channel.stream_stream(MANY)(iter([b"a", b"b"]))
                    assert [data async for data in many] == [b"a0", b"a1", b"a2", b"b0", b"b1", b"b2"]
                    packed = channel.unary_unary(ECHO)
                    assert await packed(b"x" * 10_000, compression=grpc.Compression.Gzip) == b"x" * 10_000
                    with pytest.raises(grpc.aio.AioRpcError) as caught:
                        await channel.unary_unary(FAIL)(b"")
                    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
                    assert caught.value.details() == "100 % naïve\n"
                    with pytest.raises(grpc.aio.AioRpcError) as caught:
                        await channel.unary_unary("/t.S/None")(b"")
                    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
                    with pytest.raises(grpc.aio.AioRpcError) as caught:
                        await channel.unary_unary(FAIL)(b"fault")
                    assert caught.value.code() is grpc.StatusCode.INTERNAL
                    with pytest.raises(grpc.aio.AioRpcError) as caught:
                        await echo(bytes(MAX_MESSAGE + 1))
                    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED

    run(main())


def test_the_synchronous_client_library_agrees() -> None:
    async def main() -> None:
        async with served() as (port, methods):

            def calls() -> None:
                with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                    assert channel.unary_unary(ECHO)(b"abc", metadata=[("x-bin", b"\0\1")]) == b"abc"
                    with pytest.raises(grpc.RpcError) as caught:
                        channel.unary_unary(SLOW)(b"5", timeout=0.2)
                    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
                    future = channel.unary_unary(SLOW).future(b"5")
                    with pytest.raises(grpc.FutureTimeoutError):
                        future.result(timeout=0.2)
                    future.cancel()

            await asyncio.to_thread(calls)
            await asyncio.sleep(0.1)
            assert (methods.running, methods.cancelled) == (0, 2)

    run(main())


def test_a_deadline_is_kept_for_clients_that_do_not() -> None:
    async def main() -> None:
        async with served() as (port, methods), connected(port) as client:
            client.call(1, b"5", SLOW, grpc_timeout="100m")
            assert await client.status(1) == (b"", 4)
            assert (methods.running, methods.expired) == (0, 1)
            client.call(3, b"5", SLOW, grpc_timeout="soon")
            assert (await client.status(3))[1] == 13

    run(main())


def test_a_connection_that_is_lost_cancels_its_calls() -> None:
    async def main() -> None:
        async with served() as (port, methods):
            async with connected(port) as client:
                client.call(1, b"5", SLOW)
                client.call(3, b"5", SLOW)
                await asyncio.sleep(0.1)
                assert methods.running == 2
            await asyncio.sleep(0.1)
            assert (methods.running, methods.cancelled) == (0, 2)

    run(main())


def test_messages_that_are_wrong() -> None:
    async def main() -> None:
        async with served() as (port, _), connected(port) as client:
            cases: list[tuple[bytes, dict[str, str], int]] = [
                (b"", {}, 13),  # no message
                (b"\0\0\0\0\5ab", {}, 13),  # it ends too early
                (b"\0\0\0\0\1a\0\0\0\0\1b", {}, 13),  # two
                (b"\1\0\0\0\1a", {}, 13),  # compressed, and does not say how
                (b"\1\0\0\0\1a", {"grpc_encoding": "gzip"}, 13),
                (b"\0\0\0\0\1a", {"grpc_encoding": "snappy"}, 12),
                (b"\0\xff\xff\xff\xff", {}, 8),
            ]
            bomb = gzip.compress(bytes(MAX_MESSAGE + 1))
            cases.append((b"\1" + frames.long(len(bomb)) + bomb, {"grpc_encoding": "gzip"}, 8))
            for position, (data, more, status) in enumerate(cases):
                number = 2 * position + 1
                client.send(frames.HEADERS, frames.END_HEADERS, number, client.head(**more))
                for start in range(0, len(data), 16_000):
                    client.send(frames.DATA, 0, number, data[start : start + 16_000])
                client.send(frames.DATA, frames.END_STREAM, number)
                assert await client.status(number) == (b"", status), data[:20]
            client.call(99, b"still here")
            assert await client.status(99) == (b"still here", 0)

    run(main())


def test_flow_control_of_answers() -> None:
    """Nothing is sent that the client has not room for; two answers that wait take turns."""

    async def main() -> None:
        small = setting(Setting.INITIAL_WINDOW_SIZE, 10)
        async with served() as (port, _), connected(port, small) as client:
            client.call(1, b"x" * 45)
            client.call(3, b"y" * 5)
            client.call(5, b"z" * 6)
            got: dict[int, bytes] = {1: b"", 3: b"", 5: b""}
            ended: set[int] = set()

            async def read(until: dict[int, int]) -> None:
                while any(len(got[number]) < size for number, size in until.items()):
                    kind, flags, number, payload = await client.frame()
                    if kind == frames.DATA:
                        got[number] += payload
                    elif kind == frames.HEADERS and flags & frames.END_STREAM:
                        ended.add(number)

            await read({1: 10, 3: 10, 5: 10})
            client.send(frames.WINDOW_UPDATE, 0, 5, frames.long(1))
            await read({5: 11})
            client.send(frames.SETTINGS, 0, 0, setting(Setting.INITIAL_WINDOW_SIZE, 30))
            await read({1: 30})
            client.send(frames.WINDOW_UPDATE, 0, 1, frames.long(20))
            await read({1: 50})
            kind, flags, number, _ = await client.frame()
            assert (kind, flags & frames.END_STREAM, number) == (frames.HEADERS, 1, 1)
            assert got == {
                1: b"\0\0\0\0\x2d" + b"x" * 45,
                3: b"\0\0\0\0\5" + b"y" * 5,
                5: b"\0\0\0\0\6" + b"z" * 6,
            }
            assert ended == {3, 5}

    run(main())


def test_more_streams_than_allowed_are_refused() -> None:
    async def main() -> None:
        async with served(Http2Limits(streams=2)) as (port, _), connected(port) as client:
            for number in (1, 3, 5):
                client.call(number, b"0.2", SLOW)
            assert await client.status(5) == (b"", -ErrorCode.REFUSED_STREAM)
            assert await client.status(1) == (b"0.2", 0)
            client.call(7, b"again")
            assert await client.status(7) == (b"again", 0)

    run(main())


def test_headers_in_every_encoding() -> None:
    """A block is remembered only as long as the table that it refers to stays as it is."""

    async def main() -> None:
        async with served() as (port, methods), connected(port) as client:
            for position in range(40):
                number = 2 * position + 1
                client.encoder.header_table_size = 4096 if position % 7 else 200 + position
                client.call(number, b"%d" % position, x=str(position % 3) * 50, y="é" * (position % 2))
                assert await client.status(number) == (b"%d" % position, 0)
            (connection,) = methods.served.connections
            assert len(connection._receiver._decoder._heads) <= 64

    run(main())


def test_draining_answers_what_is_in_flight() -> None:
    async def main() -> None:
        async with served() as (port, methods), connected(port) as client, connected(port) as idle:
            client.call(1, b"0.3", SLOW)
            await asyncio.sleep(0.1)
            stopping = asyncio.ensure_future(methods.served.stop(5))
            assert (await client.frame())[0] == frames.GOAWAY
            kind, _, _, payload = await client.frame()
            assert kind == frames.PING
            client.call(3, b"sent before it knew")
            client.send(frames.PING, frames.ACK, 0, payload)
            assert await client.goaway() == ErrorCode.NO_ERROR
            assert await client.status(3) == (b"sent before it knew", 0)
            client.call(5, b"too late")
            assert await client.status(5) == (b"", -ErrorCode.REFUSED_STREAM)
            assert await client.status(1) == (b"0.3", 0)
            await idle.goaway()
            await stopping
            assert not methods.served.connections

    run(main())


def flood(name: str, client: Any) -> None:
    """Frames that cost the client little."""
    if name == "rapid reset":
        for number in range(1, 8000, 2):
            client.call(number, b"5", SLOW)
            client.send(frames.RST_STREAM, 0, number, frames.long(ErrorCode.CANCEL))
    elif name == "settings":
        for _ in range(4000):
            client.send(frames.SETTINGS, 0, 0)
    elif name == "ping":
        for _ in range(4000):
            client.send(frames.PING, 0, 0, bytes(8))
    elif name == "empty data":
        client.send(frames.HEADERS, frames.END_HEADERS, 1, client.head())
        for _ in range(4000):
            client.send(frames.DATA, 0, 1)
    elif name == "continuation":
        client.send(frames.HEADERS, 0, 1, client.head())
        for _ in range(4000):
            client.send(frames.CONTINUATION, 0, 1)
    elif name == "endless headers":
        client.send(frames.HEADERS, 0, 1, client.head())
        for _ in range(10):
            client.send(frames.CONTINUATION, 0, 1, bytes(16_000))
    elif name == "large settings":
        for _ in range(400):
            client.send(frames.SETTINGS, 0, 0, setting(Setting.HEADER_TABLE_SIZE, 4096) * 2400)
    elif name == "empty header names":
        for number in range(1, 8000, 2):
            client.send(frames.HEADERS, frames.END_HEADERS, number, client.head() + b"\0\0\0" * 50)
    elif name == "line breaks in headers":
        for number in range(1, 8000, 2):
            client.call(number, b"x", x="a\r\nb: c")
    elif name == "lengths that are none":
        for number in range(1, 8000, 2):
            client.call(number, b"x", content_length="9" * 5000 if number == 1 else "-1")
    elif name == "data dribble":
        client.send(frames.SETTINGS, 0, 0, setting(Setting.INITIAL_WINDOW_SIZE, 0))
        client.call(1, bytes(10_000))
        for _ in range(8000):
            client.send(frames.WINDOW_UPDATE, 0, 1, frames.long(1))
    elif name == "padding":
        client.send(frames.HEADERS, frames.END_HEADERS, 1, client.head())
        for _ in range(4000):
            client.send(frames.DATA, frames.PADDED, 1, b"\xff" + bytes(255))
    elif name == "goaway":
        for _ in range(4000):
            client.send(frames.GOAWAY, 0, 0, bytes(8))
    elif name == "unknown frames":
        for _ in range(4000):
            client.send(77, 0, 0, bytes(100))
    elif name == "streams beyond the limit":
        for number in range(1, 8000, 2):
            client.send(frames.HEADERS, frames.END_HEADERS, number, client.head())
    elif name == "priority":
        for _ in range(4000):
            client.send(frames.PRIORITY, 0, 1, bytes(5))
    elif name == "tiny data":
        client.send(frames.HEADERS, frames.END_HEADERS, 1, client.head())
        client.send(frames.DATA, 0, 1, b"\0" + frames.long(1 << 20))
        for _ in range(4000):
            client.send(frames.DATA, 0, 1, b"x")
    elif name == "window updates":
        for _ in range(4000):
            client.send(frames.WINDOW_UPDATE, 0, 0, frames.long(1))
    elif name == "unknown methods":
        for number in range(1, 8000, 2):
            client.call(number, b"x", "/t.S/None")
    elif name == "no message":
        for number in range(1, 8000, 2):
            client.send(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, number, client.head())
    elif name == "malformed headers":
        for number in range(1, 8000, 2):
            client.call(number, b"x", connection="close")
    else:  # what lets the server reset a stream: MadeYouReset, CVE-2025-8671
        what = {
            "made you reset: window update of 0": (frames.WINDOW_UPDATE, frames.long(0)),
            "made you reset: window overflow": (frames.WINDOW_UPDATE, frames.long(2**31 - 1)),
            "made you reset: data after the end": (frames.DATA, b"x" * 100),
            "made you reset: headers after the end": (frames.HEADERS, client.head()),
            "made you reset: priority on itself": (frames.PRIORITY, None),
            "made you reset: priority of four bytes": (frames.PRIORITY, bytes(4)),
        }[name]
        for number in range(1, 8000, 2):
            client.call(number, b"5", SLOW)
            kind, payload = what
            flags = frames.END_HEADERS if kind == frames.HEADERS else 0
            client.send(kind, flags, number, frames.long(number) + b"\0" if payload is None else payload)


@pytest.mark.parametrize(
    "name",
    [
        *("rapid reset", "settings", "ping", "empty data", "continuation", "endless headers", "priority"),
        *("tiny data", "window updates", "unknown methods", "no message", "malformed headers"),
        *("large settings", "empty header names", "line breaks in headers", "lengths that are none"),
        *("data dribble", "padding", "goaway", "unknown frames", "streams beyond the limit"),
        "made you reset: window update of 0",
        "made you reset: window overflow",
        "made you reset: data after the end",
        "made you reset: headers after the end",
        "made you reset: priority on itself",
        "made you reset: priority of four bytes",
    ],
)
def test_floods_end_the_connection(name: str) -> None:
    async def main() -> None:
        async with served() as (port, methods), connected(port) as client:
            flood(name, client)
            assert await client.goaway() in (CALM, None)
            await asyncio.sleep(0.05)
            assert (methods.running, methods.served.connections) == (0, set())
            async with connected(port) as other:
                other.call(1, b"others are served")
                assert await other.status(1) == (b"others are served", 0)

    run(main())


def test_who_makes_calls_never_runs_out() -> None:
    """Calls that fail, messages in small parts, and a window enlarged for each frame are what real clients do."""

    async def main() -> None:
        async with served() as (port, _), connected(port) as client:
            for number in range(1, 10_001, 4):
                client.call(number, b"x", FAIL if number % 8 == 1 else ECHO)
                client.send(frames.HEADERS, frames.END_HEADERS, number + 2, client.head())
                client.send(frames.DATA, 0, number + 2, b"\0" + frames.long(20))
                client.send(frames.DATA, frames.END_STREAM, number + 2, b"y" * 20)
                for _ in range(2):
                    kind, flags = 0, 0
                    while not (kind == frames.HEADERS and flags & frames.END_STREAM):
                        kind, flags, _, _ = await client.frame()
                        assert kind != frames.GOAWAY
                        if kind == frames.DATA:
                            client.send(frames.WINDOW_UPDATE, 0, 0, frames.long(25))

    run(main())


def test_header_bombs_end_the_connection() -> None:
    async def main() -> None:
        async with served() as (port, _), connected(port) as client:
            client.send(frames.HEADERS, frames.END_HEADERS, 1, client.head(x="y" * 3000))
            repeated = client.head(x="y" * 3000)
            client.send(frames.HEADERS, frames.END_HEADERS, 3, repeated + repeated[-1:] * 100)
            assert await client.goaway() == CALM

    run(main())


def test_many_small_headers_pin_no_memory() -> None:
    """The HTTP/2 bomb: a byte each on the wire, far more in memory, and streams that are never finished."""

    async def main() -> None:
        inflight = Inflight(8 << 20)
        async with served(Http2Limits(streams=1000), inflight=inflight) as (port, methods):
            async with connected(port) as client:
                client.send(frames.HEADERS, frames.END_HEADERS, 1, client.head(x=""))
                indexed = client.head(x="")
                client.send(frames.HEADERS, frames.END_HEADERS, 3, indexed + indexed[-1:] * 1500)
                assert await client.goaway() == CALM
            async with connected(port) as client:
                client.send(frames.HEADERS, frames.END_HEADERS, 1, client.head(MANY, x=""))
                indexed = client.head(MANY, x="")
                for number in range(3, 1003, 2):
                    more = b"\x0f\x20\x01" + b"%d" % (number % 10)  # of its own, so that none is remembered
                    client.send(
                        frames.HEADERS, frames.END_HEADERS, number, indexed + indexed[-1:] * 240 + more
                    )
                while inflight.held < 3 << 20:
                    await asyncio.sleep(0.01)
                assert (await client.status(1001))[1] == 8
                assert inflight.held <= 4 << 20
                (connection,) = methods.served.connections
                assert len(connection._receiver._decoder._heads) <= 1

    run(main())


def test_noise_harms_nobody() -> None:
    """Random frames, seeded: each connection ends or goes on by the rules, and the server serves the next."""

    async def main() -> None:
        chance = random.Random(7)
        async with served() as (port, methods):
            for _ in range(300):
                async with connected(port) as client:
                    for _ in range(chance.randint(1, 12)):
                        kind = chance.choice([0, 0, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 77])
                        payload = chance.choice([b"", client.head(), chance.randbytes(chance.randint(0, 20))])
                        client.send(kind, chance.randrange(256), chance.choice([0, 1, 2, 3, 5, 7]), payload)
                    client.writer.write(chance.randbytes(chance.randint(0, 20)))
            async with connected(port) as client:
                client.call(1, b"here")
                assert await client.status(1) == (b"here", 0)
            assert methods.running == 0

    run(main())


def test_other_protocols_are_turned_away() -> None:
    async def main() -> None:
        async with served() as (port, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            assert b"only HTTP/2" in await asyncio.wait_for(reader.read(), 5)
            writer.close()
            async with connected(port) as client:
                client.send(
                    frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, 1, client.head(content_type="a/b")
                )
                kind, _, _, payload = await client.frame()
                assert kind == frames.HEADERS
                assert dict(client.decoder.decode(payload, raw=True))[b":status"] == b"415"

    run(main())
