"""Writes the head of a response and the refusal for want of room, and reads the path of a request target."""

import json
import time
from email.utils import formatdate
from http import HTTPStatus

import httptools

from serving.transport.http1.message import JSON, Answer
from serving.transport.inflight import REFUSAL

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
CLOSE = b"connection: close\r\n"
KEEP_ALIVE = b"connection: keep-alive\r\n"
TEXT = b"content-type: text/plain; charset=utf-8\r\n"

_REASONS = {status.value: status.phrase for status in HTTPStatus} | {499: "Client Closed Request"}
_LINES = {code: f"HTTP/1.1 {code} {reason}\r\n".encode() for code, reason in _REASONS.items()}
_date: tuple[int, bytes] = (0, b"")


def response_head(answer: Answer, connection: bytes) -> bytes:
    """Return the status line and headers of a response; `connection` is a complete line or empty."""
    return b"%b%bcontent-length: %d\r\n%b%b\r\n" % (
        _LINES[answer.status],
        answer.headers,
        len(answer.body),
        _date_line(),
        connection,
    )


def overfull() -> Answer:
    """Return the answer to a request for which the server has no room."""
    return Answer(503, json.dumps({"error": REFUSAL}).encode(), JSON + b"retry-after: 1\r\n")


def path_of(target: bytes) -> str:
    """Return the path of a request target, still percent-encoded; empty if there is none."""
    if not target.startswith(b"/"):
        try:
            target = httptools.parse_url(target).path or b""  # the absolute form, as sent to proxies
        except httptools.HttpParserInvalidURLError:
            return ""
    return target.partition(b"?")[0].decode("latin-1")


def _date_line() -> bytes:
    global _date
    now = int(time.time())
    if _date[0] != now:
        _date = (now, f"date: {formatdate(now, usegmt=True)}\r\n".encode())
    return _date[1]
