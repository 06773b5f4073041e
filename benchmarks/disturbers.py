"""Clients that make a server work hard, dawdle, or mean harm, in a process of their own and at a low priority.

python -m benchmarks.disturbers --rest_port P --grpc_port P --kinds json,bomb --seconds 10 [--pause 1]

The kinds take turns, with a pause between them. Prints a line of JSON: how often each was done, and with which status.
"""

import argparse
import base64
import contextlib
import io
import itertools
import json
import os
import socket
import struct
import time
import zlib
from collections import Counter
from collections.abc import Callable
from functools import cache

from benchmarks import hostile_frames
from benchmarks.hostile_frames import Target

MIB = 1 << 20
DAWDLE_SECONDS = 15.0
NUMBERS = 6 * MIB  # 30 MB as `1.25,`


def post(
    target: Target, model: str, body: bytes, *headers: str, read: bool = True
) -> tuple[str, socket.socket]:
    """Send a request; returns the answer's status, and the connection if it is not read."""
    connection = socket.create_connection(("127.0.0.1", target.rest_port), timeout=60)
    if not read:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    lines = [
        f"POST /v1/models/{model}:predict HTTP/1.1",
        "Host: x",
        "Connection: close",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
    if not read:
        return "not read", connection
    with connection:
        answer = connection.recv(64)
        while connection.recv(MIB):
            pass
    return answer[9:12].decode(errors="replace"), connection


@cache
def numbers(last: str) -> bytes:
    return b'{"inputs":[' + b"1.25," * NUMBERS + last.encode() + b"]}"


@cache
def bombs() -> tuple[bytes, bytes]:
    """Bodies of blanks: one right below the limit of 100 MiB and right, and one of 1 GiB."""
    return _blanks(99, b'{"instances":[1.0]}'), _blanks(1024, b"")


def _blanks(mebibytes: int, end: bytes) -> bytes:
    """Return so many blanks and an end, compressed piece by piece: whole they would be large here, too."""
    packer = zlib.compressobj(wbits=31)
    pieces = [packer.compress(b" " * MIB) for _ in range(mebibytes)]
    return b"".join([*pieces, packer.compress(end), packer.flush()])


@cache
def large_picture() -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.new("L", (6000, 6000), 128).save(file, "png")
    encoded = base64.b64encode(file.getvalue()).decode()
    return json.dumps({"instances": [{"b64": encoded}]}).encode()


def heavy(target: Target) -> str:
    return post(target, "heavy", b'{"inputs":[100000]}')[0]


def large_json(target: Target) -> str:
    return post(target, "wide", numbers("1.25"))[0]


def wrong_json(target: Target) -> str:
    return post(target, "wide", numbers('"wrong"'))[0]


def bomb(target: Target) -> str:
    return " and ".join(post(target, "light", body, "Content-Encoding: gzip")[0] for body in bombs())


def png(target: Target) -> str:
    return post(target, "picture", large_picture())[0]


def slow_body(target: Target) -> str:
    """A body at 1 KiB/s, given up in the middle."""
    with socket.create_connection(("127.0.0.1", target.rest_port), timeout=60) as connection:
        connection.sendall(
            b"POST /v1/models/light:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
        )
        for _ in range(int(DAWDLE_SECONDS)):
            connection.sendall(b" " * 1024)
            time.sleep(1)
    return "given up"


def unread(target: Target) -> str:
    """Large answers that nobody reads."""
    body = b'{"instances":[' + b"1.25," * 200_000 + b"1]}"
    connections = [post(target, "light", body, read=False)[1] for _ in range(3)]
    time.sleep(DAWDLE_SECONDS)
    for connection in connections:
        connection.close()
    return "not read"


MALFORMED = (
    b"",
    b"{",
    b'{"instances":[1.0}',
    b'{"instances":["x"]}',
    b'{"instances":' + b"[" * 5000,
    b"\xff\xfe" * 500,
    b'{"instances":[1' + b"0" * 5000 + b"]}",
)


def malformed_json(target: Target) -> str:
    return " ".join(post(target, "light", body)[0] for body in MALFORMED)


def cut_off(target: Target) -> str:
    """Connections reset in the middle of a body."""
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", target.rest_port), timeout=60) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.sendall(
                b"POST /v1/models/light:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n[1"
            )
    return "reset"


KINDS: dict[str, Callable[[Target], str]] = {
    "heavy": heavy,
    "json": large_json,
    "wrong": wrong_json,
    "bomb": bomb,
    "png": png,
    "slow_body": slow_body,
    "unread": unread,
    "malformed": malformed_json,
    "cut_off": cut_off,
    **hostile_frames.KINDS,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rest_port", type=int, required=True)
    parser.add_argument("--grpc_port", type=int, required=True)
    parser.add_argument("--kinds", required=True, help=f"a comma list of {', '.join(KINDS)}")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--pause", type=float, default=0.0)
    options = parser.parse_args()
    # These clients would be other machines; on this one they shall not take the cores from those that are measured.
    os.nice(10)
    target = Target(options.rest_port, options.grpc_port)
    seen: dict[str, Counter[str]] = {}
    until = time.monotonic() + options.seconds
    for kind in itertools.cycle(options.kinds.split(",")):
        if time.monotonic() > until:
            break
        outcome = "cut off"
        with contextlib.suppress(OSError):  # the server may well hang up on them
            outcome = KINDS[kind](target)
        seen.setdefault(kind, Counter())[outcome] += 1
        time.sleep(options.pause)
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
