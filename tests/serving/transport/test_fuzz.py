"""Bytes that are nearly HTTP: streams of requests with parts changed, cut, doubled and exchanged.

Whatever comes, the server goes on, tells nobody of a fault of its own, and keeps nothing of it. Each case is made by a
seeded generator, so that a failure can be repeated by its number.
"""

import gzip
import random
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hpack import Encoder

from serving.messages.warmup_file import predict_request
from serving.transport.http2 import frames
from tests.serving.process import Running, start
from tests.serving.test_fuzz import CASES, scramble
from tests.serving.tf_models import write_half_plus

PREDICT = "/v1/models/default:predict"
METHOD = "/tensorflow.serving.PredictionService/Predict"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
BODY = b'{"instances": [1.0, 2.0]}'
CHUNKED = (
    b"5\r\n" + BODY[:5] + b"\r\n10;x=y\r\n" + BODY[5:21] + b"\r\n4\r\n" + BODY[21:] + b"\r\n0\r\nt: 1\r\n\r\n"
)

pytestmark = pytest.mark.server
Frame = tuple[int, int, int, bytes]


def request(method: str, path: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *headers]
    if body and "Transfer-Encoding: chunked" not in headers:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


REQUESTS = [
    request("POST", PREDICT, BODY),
    request("POST", PREDICT, CHUNKED, "Transfer-Encoding: chunked", "Trailer: t"),
    request("POST", PREDICT, BODY, "Expect: 100-continue"),
    request("POST", PREDICT, gzip.compress(BODY), "Content-Encoding: gzip"),
    request("POST", PREDICT, BODY, "Connection: close"),
    request("POST", PREDICT, BODY, "Connection: Upgrade", "Upgrade: h2c"),
    request("POST", PREDICT, BODY).replace(b"HTTP/1.1", b"HTTP/1.0"),
    request("GET", "/v1/models/default"),
    request("GET", "/v1/models/default/metadata"),
    request("HEAD", "/healthz/ready"),
    request("OPTIONS", PREDICT, b"", "Origin: http://a.b"),
    request("GET", "http://x/healthz/live?a=b", b"", *(f"h{i}: {i}" for i in range(30))),
]


def http1_stream(chance: random.Random) -> bytes:
    """Some requests one after the other, broken in most cases."""
    parts = [chance.choice(REQUESTS) for _ in range(chance.randint(1, 4))]
    data = b"".join(scramble(part, chance) if chance.random() < 0.6 else part for part in parts)
    if chance.random() < 0.2:  # a line break that is none, a header that is too much
        data = data.replace(b"\r\n", chance.choice([b"\n", b"\r", b"\r\n\r\n", b"\0"]), chance.randint(1, 5))
    if chance.random() < 0.05:
        data = data.replace(b"Host: x", b"Host: " + b"y" * chance.choice([1000, 70_000, 200_000]), 1)
    return data[: chance.randrange(len(data))] if chance.random() < 0.2 else data


def http2_frames(chance: random.Random, encoder: Encoder) -> list[Frame]:
    """A connection's frames, all of them good."""
    sent: list[Frame] = [(frames.SETTINGS, 0, 0, b"\0\4\0\0\x40\0" * chance.randint(0, 2))]
    body = predict_request("default", {"x": np.ones(chance.choice([1, 300]), np.float32)}).SerializeToString()
    for number in range(1, 2 * chance.randint(1, 4), 2):
        path = chance.choice([METHOD, METHOD, METHOD, REFLECTION, "/no/such"])
        head = encoder.encode(
            [
                (":method", "POST"),
                (":scheme", "http"),
                (":path", path),
                ("content-type", "application/grpc"),
                ("te", "trailers"),
                (f"x-{number}", "y" * chance.choice([1, 500])),
            ]
        )
        cut = chance.randrange(len(head)) if chance.random() < 0.3 else len(head)
        sent.append((frames.HEADERS, frames.END_HEADERS if cut == len(head) else 0, number, head[:cut]))
        if cut < len(head):
            sent.append((frames.CONTINUATION, frames.END_HEADERS, number, head[cut:]))
        message = b"\0" + frames.long(len(body)) + body
        if chance.random() < 0.3:
            sent.append((frames.DATA, frames.PADDED, number, b"\x02" + message[:3] + b"\0\0"))
            message = message[3:]
        sent.append((frames.DATA, frames.END_STREAM, number, message))
        extra: list[Frame] = [
            (frames.PING, 0, 0, b"12345678"),
            (frames.WINDOW_UPDATE, 0, chance.choice([0, number]), frames.long(1000)),
            (frames.PRIORITY, 0, number, b"\0\0\0\0\1"),
            (frames.RST_STREAM, 0, number, frames.long(8)),
            (frames.SETTINGS, frames.ACK, 0, b""),
            (77, 0, number, b"unknown"),
            (frames.GOAWAY, 0, 0, bytes(8)),
        ]
        sent += chance.sample(extra, chance.randint(0, 2))
    return sent


def broken_frame(frame: Frame, chance: random.Random) -> Frame:
    kind, flags, number, payload = frame
    which = chance.randrange(4)
    if which == 0:
        kind = chance.randrange(12)
    elif which == 1:
        flags ^= 1 << chance.randrange(8)
    elif which == 2:
        number = chance.choice([0, 1, 2, 3, 5, 99, 2**31 - 1])
    else:
        payload = scramble(payload, chance)
    return kind, flags, number, payload


def http2_stream(chance: random.Random) -> bytes:
    """The same for HTTP/2: frames changed, dropped, doubled and exchanged, then their bytes."""
    sent = http2_frames(chance, Encoder())
    for _ in range(chance.choice([0, 1, 1, 2, 4])):
        where = chance.randrange(len(sent))
        kind = chance.random()
        if kind < 0.6:
            sent[where] = broken_frame(sent[where], chance)
        elif kind < 0.75:
            sent.insert(where, chance.choice(sent))
        elif kind < 0.9 or len(sent) == 1:
            sent += [sent[where]] * chance.choice([1, 50])
        else:
            del sent[where]
    data = b"".join(frames.frame(*frame) for frame in sent)
    if chance.random() < 0.3:
        data = scramble(data, chance)
    return (frames.PREFACE if chance.random() < 0.97 else scramble(frames.PREFACE, chance)) + data


def talk(port: int, data: bytes, chance: random.Random) -> bytes:
    """Sends it, in one piece or in several, and returns all that comes back."""
    got = b""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        try:
            cut = chance.randrange(len(data) + 1) if chance.random() < 0.3 else len(data)
            client.sendall(data[:cut])
            if cut < len(data):
                client.sendall(data[cut:])
            client.shutdown(socket.SHUT_WR)
            while part := client.recv(1 << 16):
                got += part
        except TimeoutError:
            raise
        except OSError:  # the server had enough of it
            pass
    return got


def fuzz(port: int, make: Callable[[random.Random], bytes], cases: range) -> bytes:
    """Returns the answers to the last thousand cases, one after the other."""
    seen: list[bytes] = []
    for case in cases:
        chance = random.Random(case)
        answer = talk(port, make(chance), chance)
        assert b"internal server error" not in answer, f"case {case}: {answer!r}"
        for status in re.findall(rb"HTTP/1\.1 (\d+) ", answer):
            assert int(status) < 500, f"case {case}: {answer!r}"
        seen = [*seen[-999:], answer]
    return b"".join(seen)


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    base: Path = tmp_path_factory.mktemp("fuzz")
    write_half_plus(base / "1")
    with start(f"--model_base_path={base}", "--rest_api_enable_cors_support") as running:
        yield running


def answers(server: Running) -> bool:
    return bool(server.post(PREDICT, {"instances": [2]}).json() == {"predictions": [3.0]})


def test_a_few_streams(fuzzed: Running) -> None:
    one = fuzz(fuzzed.rest_port, http1_stream, range(200))
    assert all(
        status in one for status in (b"HTTP/1.1 200 ", b"HTTP/1.1 400 ", b"HTTP/1.1 431 ", b"[2.5,3.0]")
    )
    two = fuzz(fuzzed.grpc_port, http2_stream, range(200))
    assert b"grpc-status\x010" in two  # some were good
    assert answers(fuzzed)


@pytest.mark.run
def test_thousands_of_streams_without_growth(fuzzed: Running) -> None:
    for turn in range(4):
        cases = range(turn * CASES, turn * CASES + CASES)
        fuzz(fuzzed.rest_port, http1_stream, cases)
        fuzz(fuzzed.grpc_port, http2_stream, cases)
        assert answers(fuzzed)
        if turn == 0:
            before = fuzzed.memory()
    assert fuzzed.memory() - before < 20 << 20
    assert "Traceback" not in fuzzed.output()
