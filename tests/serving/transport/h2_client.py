"""HTTP/2 frame by frame, for what no client library would send, and a gRPC server of three methods to send it to."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from hpack import Decoder, Encoder

from serving.client.local import free_port
from serving.errors import Code, ServingError
from serving.rpc.methods import Context, Streaming, Unary
from serving.rpc.services import Services
from serving.transport.http2 import frames
from serving.transport.http2.connection import Http2Connection, Http2Limits
from serving.transport.inflight import Inflight
from serving.transport.listener import Listener

MAX_MESSAGE = 64 << 20
ECHO, SLOW, FAIL, MANY, GROW = "/t.S/Echo", "/t.S/Slow", "/t.S/Fail", "/t.S/Many", "/t.S/Grow"


@dataclass
class Methods:
    """What the server's methods saw."""

    running: int = 0
    cancelled: int = 0
    expired: int = 0
    served: Listener = field(init=False)

    async def echo(self, data: bytes, context: Context) -> bytes:
        return data

    async def slow(self, data: bytes, context: Context) -> bytes:
        self.running += 1
        try:
            await asyncio.sleep(float(data))
        except asyncio.CancelledError:
            self.cancelled += 1
            self.expired += context.expired
            raise
        finally:
            self.running -= 1
        return data

    async def fail(self, data: bytes, context: Context) -> bytes:
        if data == b"fault":
            raise RuntimeError("boom")
        raise ServingError(Code.FAILED_PRECONDITION, "100 % naïve\n")

    async def grow(self, data: bytes, context: Context) -> bytes:
        return bytes(int(data))

    async def many(self, requests: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
        async for data in requests:
            for number in range(3):
                yield data + b"%d" % number


@contextlib.asynccontextmanager
async def served(
    limits: Http2Limits | None = None, unix_path: str = "", inflight: Inflight | None = None
) -> AsyncIterator[tuple[int, Methods]]:
    methods = Methods()
    services = Services(
        {
            ECHO: Unary(methods.echo),
            SLOW: Unary(methods.slow),
            FAIL: Unary(methods.fail),
            GROW: Unary(methods.grow),
            MANY: Streaming(methods.many),
        },
        MAX_MESSAGE,
    )
    port = free_port()
    listener = methods.served = Listener(
        lambda own: Http2Connection(services, limits or Http2Limits(streams=100), own)
    )
    listener.inflight = inflight or listener.inflight
    listener.bind("", port, None, "--port")
    await listener.start(unix_path)
    try:
        yield port, methods
    finally:
        await listener.stop(1)


class RawClient:
    """A client that sends what it is told to, and takes frames as they come."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.encoder = Encoder()
        self.decoder = Decoder()

    def send(self, kind: int, flags: int, number: int, payload: bytes = b"") -> None:
        self.writer.write(frames.frame(kind, flags, number, payload))

    def head(self, path: str = ECHO, **more: str) -> bytes:
        fields = {
            ":method": "POST",
            ":scheme": "http",
            ":path": path,
            "content-type": "application/grpc",
            **{name.replace("_", "-"): value for name, value in more.items()},
        }
        return self.encoder.encode(list(fields.items()))

    def call(self, number: int, message: bytes, path: str = ECHO, **more: str) -> None:
        self.send(frames.HEADERS, frames.END_HEADERS, number, self.head(path, **more))
        self.send(frames.DATA, frames.END_STREAM, number, b"\0" + frames.long(len(message)) + message)

    async def frame(self) -> tuple[int, int, int, bytes]:
        """The next frame that is neither SETTINGS nor WINDOW_UPDATE nor an answer to a PING."""
        while True:
            header = await asyncio.wait_for(self.reader.readexactly(frames.FRAME_HEADER_BYTES), 5)
            high, low, kind, flags, number = frames.FRAME_HEADER.unpack(header)
            payload = await asyncio.wait_for(self.reader.readexactly(high << 8 | low), 5)
            if kind not in (frames.SETTINGS, frames.WINDOW_UPDATE) and not (kind == frames.PING and flags):
                return kind, flags, number, payload

    async def status(self, number: int) -> tuple[bytes, int]:
        """A call's data, and its grpc-status; of a stream that is reset, minus the error code."""
        data = b""
        while True:
            kind, flags, got, payload = await self.frame()
            if kind == frames.HEADERS:
                headers = dict(self.decoder.decode(payload, raw=True))
                if got == number and flags & frames.END_STREAM:
                    return data[5:], int(headers[b"grpc-status"])
            elif got == number and kind == frames.DATA:
                data += payload
            elif got == number and kind == frames.RST_STREAM:
                return b"", -frames.read_long(payload)

    async def goaway(self) -> int | None:
        """The error code of the GOAWAY that comes; None where the connection's end came before it."""
        with contextlib.suppress(ConnectionResetError):
            while True:
                kind, _, _, payload = await self.frame()
                if kind == frames.GOAWAY:
                    return int.from_bytes(payload[4:8])
        return None


@contextlib.asynccontextmanager
async def connected(port: int, settings: bytes = b"") -> AsyncIterator[RawClient]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    client = RawClient(reader, writer)
    writer.write(frames.PREFACE)
    client.send(frames.SETTINGS, 0, 0, settings)
    try:
        yield client
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
