"""HTTP/1.1 as clients of every kind speak it, the careless and the hostile ones too."""

import asyncio

import httpx
import pytest

from serving.transport.http1.connection import HttpConnection
from serving.transport.listener import BindError, Listener
from tests.serving.transport.h1_client import LIMITS, Echo, connected, exchange, post, run, served, statuses


def test_pipelined_requests_are_answered_in_order() -> None:
    async def main() -> None:
        async with served() as (port, _):
            parts = [
                post("/slow", b"first"),
                b"GET /second?x=1 HTTP/1.1\r\nHost: x\r\n\r\n",
                post("/", b"third"),
            ]
            got = await exchange(port, b"".join(parts))
            assert statuses(got) == [200, 200, 200]
            assert got.index(b"first") < got.index(b"/second") < got.index(b"third")
            many = await exchange(port, post("/", b"x") * 500)
            assert len(statuses(many)) == 500

    run(main())


def test_no_more_requests_wait_than_may() -> None:
    async def main() -> None:
        async with served() as (port, _):
            small = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
            got = await exchange(port, post("/slow", b"first") + small * 5000)
            assert statuses(got) == [200] * 1001 + [429]
            assert b"first" in got

    run(main())


def test_bodies_in_chunks_and_in_pieces() -> None:
    async def main() -> None:
        async with served() as (port, _):
            chunked = (
                b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nab",
                b"cd\r\n2;x=y\r\nef\r\n0\r\n\r\n",
            )
            assert (await exchange(port, *chunked, pause=0.05)).endswith(b"abcdef")
            pieces = [bytes([byte]) for byte in post("/", b"one byte at a time")]
            assert (await exchange(port, *pieces)).endswith(b"one byte at a time")

    run(main())


def test_continue_is_said_only_to_what_is_wanted() -> None:
    async def main() -> None:
        async with served() as (port, _):
            head = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n"
            got = await exchange(port, head % (b"/", 3), b"abc", pause=0.1)
            assert statuses(got) == [100, 200]
            assert got.endswith(b"abc")
            assert statuses(await exchange(port, head % (b"/no", 3))) == [401]
            assert statuses(await exchange(port, head % (b"/", 5000))) == [429]
            after = await exchange(port, post("/slow", b"one") + head % (b"/", 3), b"two", pause=0.5)
            assert statuses(after) == [200, 100, 200]

    run(main())


def test_what_is_too_large_is_answered_and_not_kept() -> None:
    async def main() -> None:
        async with served() as (port, _):
            twice = await exchange(port, post("/", b"x" * 1001) + post("/", b"next"))
            assert statuses(twice) == [429, 200], "the connection goes on"
            chunk = (
                b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                + b"300\r\n"
                + b"x" * 0x300
                + b"\r\n"
            )
            assert statuses(await exchange(port, chunk, b"300\r\n" + b"x" * 0x300 + b"\r\n0\r\n\r\n")) == [
                429
            ]
            long_header = b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 3000 + b"\r\n\r\n"
            assert statuses(await exchange(port, long_header)) == [431]
            assert statuses(
                await exchange(port, b"GET / HTTP/1.1\r\nHost: x\r\n", *[b"X: " + b"y" * 500] * 9)
            ) == [431]
            assert statuses(
                await exchange(port, b"GET /" + b"y" * 3000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            ) == [431]
            many = b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 300 + b"\r\n"
            assert statuses(await exchange(port, many)) == [431]

    run(main())


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00 this is TLS",
        b"GET\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -3\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nName : value\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: b\x00c\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused_and_ends_the_connection(sent: bytes) -> None:
    async def main() -> None:
        async with served() as (port, _):
            got = await exchange(port, sent + b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
            assert statuses(got) == [400]
            assert b"connection: close" in got
            assert b"smuggled" not in got

    run(main())


def test_how_connections_go_on_or_end() -> None:
    async def main() -> None:
        async with served() as (port, _):
            head = await exchange(
                port, b"HEAD /x HTTP/1.1\r\nHost: x\r\n\r\nGET /y HTTP/1.1\r\nHost: x\r\n\r\n"
            )
            assert statuses(head) == [200, 200]
            assert b"/x" not in head
            closing = await exchange(port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" * 2)
            assert statuses(closing) == [200]
            assert b"connection: close" in closing
            old = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /z HTTP/1.0\r\n\r\n"
            got = await exchange(port, old)
            assert statuses(got) == [200, 200]
            assert (b"connection: keep-alive" in got, b"connection: close" in got) == (True, True)
            absolute = await exchange(port, b"GET http://host/p?q HTTP/1.1\r\nHost: x\r\n\r\n")
            assert absolute.endswith(b"/p")
            assert statuses(await exchange(port, post("/fault", b""))) == [500]

    run(main())


def test_an_upgrade_is_ignored_and_the_request_stands() -> None:
    """Java's HttpClient asks for one with every request, and curl with --http2."""
    asks = (
        "Connection: Upgrade, HTTP2-Settings",
        "Upgrade: h2c",
        "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
    )

    async def main() -> None:
        async with served() as (port, _):
            sent = post("/", b"first", *asks) + post("/", b"", *asks) + post("/", b"third")
            got = await exchange(port, sent)
            assert statuses(got) == [200, 200, 200]
            assert got.index(b"first") < got.index(b"third")
            pieces = await exchange(port, *[bytes([byte]) for byte in sent])
            assert statuses(pieces) == [200, 200, 200]
            chunked = post("/", b"", "Transfer-Encoding: chunked", *asks).replace(
                b"Content-Length: 0\r\n", b""
            )
            assert (await exchange(port, chunked + b"3\r\nabc\r\n0\r\n\r\n")).endswith(b"abc")
            last = await exchange(
                port, post("/", b"x", "Connection: close", "Upgrade: h2c") + post("/", b"y")
            )
            assert statuses(last) == [200]
            for other in ("websocket", "TLS/1.0", "h3"):
                asked = post("/", b"abc", "Connection: upgrade", f"Upgrade: {other}")
                assert (await exchange(port, asked)).endswith(b"abc")
            too_large = await exchange(port, post("/", b"x" * 1001, *asks))
            assert statuses(too_large) == [429]

    run(main())


def test_many_upgrades_at_once_are_as_many_requests() -> None:
    async def main() -> None:
        async with served() as (port, _):
            sent = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n" * 3000
            assert statuses(await exchange(port, sent)) == [200] * 3000

    run(main())


@pytest.mark.parametrize("hosts", [0, 2])
def test_a_request_has_one_host(hosts: int) -> None:
    async def main() -> None:
        async with served() as (port, _):
            lines = b"".join(b"Host: h%d\r\n" % index for index in range(hosts))
            got = await exchange(
                port, b"GET / HTTP/1.1\r\n" + lines + b"\r\n" + b"GET /no HTTP/1.1\r\nHost: x\r\n\r\n"
            )
            assert statuses(got) == [400]
            assert b"must have one Host header" in got
            assert statuses(await exchange(port, b"GET / HTTP/1.0\r\n\r\n")) == [200]

    run(main())


def test_both_families_of_addresses_are_answered() -> None:
    async def main() -> None:
        async with served() as (port, _), httpx.AsyncClient() as client:
            for host in ("127.0.0.1", "[::1]"):
                assert (await client.get(f"http://{host}:{port}/x")).text == "/x"
        listener = Listener(lambda own: HttpConnection(Echo(), LIMITS, own))
        listener.bind("127.0.0.1", port, None, "--rest_api_port")
        await listener.start()
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"http://127.0.0.1:{port}/x")).text == "/x"
            with pytest.raises(httpx.ConnectError):
                await client.get(f"http://[::1]:{port}/x")
        with pytest.raises(
            BindError, match=r"cannot listen on 127\.0\.0\.1, port \d+ \(--port\): Address already"
        ):
            Listener(lambda own: HttpConnection(Echo(), LIMITS, own)).bind("127.0.0.1", port, None, "--port")
        await listener.stop(1)

    run(main())


def test_who_is_too_slow_is_let_go() -> None:
    async def main() -> None:
        async with served() as (port, listener):
            async with connected(port) as (reader, writer):
                writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc")
                assert statuses(await asyncio.wait_for(reader.read(), 10)) == [408]
            async with connected(port) as (reader, _):
                assert await asyncio.wait_for(reader.read(), 10) == b""
            # A client that takes nothing: its answers are not made in advance, and others are served meanwhile.
            async with connected(port) as (reader, writer):
                writer.write(post("/large", b"") * 3)
                await asyncio.sleep(0.2)
                assert statuses(await exchange(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")) == [200]
                assert max(len(one._waiting) for one in listener.connections) == 2

    run(main())


def test_a_client_that_leaves_cancels_its_call() -> None:
    async def main() -> None:
        echo = Echo()
        async with served(echo) as (port, _):
            async with connected(port) as (_, writer):
                writer.write(post("/slow", b"x"))
                await asyncio.sleep(0.1)
                assert echo.running == 1
            await asyncio.sleep(0.1)
            assert (echo.running, echo.abandoned) == (0, 1)

    run(main())


def test_draining_finishes_what_runs_and_takes_no_more() -> None:
    async def main() -> None:
        async with (
            served() as (port, listener),
            connected(port) as (idle, _),
            connected(port) as (busy, writer),
        ):
            writer.write(post("/slow", b"in flight"))
            await asyncio.sleep(0.1)
            await listener.stop(5)
            got = await busy.read()
            assert got.endswith(b"in flight")
            assert b"connection: close" in got
            assert await idle.read() == b""
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", port)

    run(main())


def test_a_client_library_agrees() -> None:
    async def main() -> None:
        async with served() as (port, _), httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            for _ in range(3):
                assert (await client.post("/", content=b"abc")).content == b"abc"
            answer = await client.get("/path")
            assert (answer.text, answer.headers["content-length"]) == ("/path", "5")
            assert "date" in answer.headers

    run(main())
