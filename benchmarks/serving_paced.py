"""Clients at a fixed pace, in a process of their own: light requests by REST and gRPC, each sent when it is due.

A request is timed from when it was due, so a server that stops for a second is seen by all that should have been
sent meanwhile, and not by one. Prints a line of JSON for each period and way: the latencies in milliseconds, and the
failures.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import grpc

from benchmarks.serving import grpc_body
from serving.messages.dtypes import Array

Call = Callable[[], Awaitable[None]]


@dataclass
class Seen:
    """What a client saw since it was last told of."""

    latencies: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


class WrongAnswerError(Exception):
    """An answer that is not 200."""


class RestCaller:
    """Calls by REST on one connection, opened again when it is lost."""

    def __init__(self, port: int, model: str, body: bytes) -> None:
        self._port = port
        head = f"POST /v1/models/{model}:predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        self._request = head.encode() + body
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __call__(self) -> None:
        """Send the request and read the answer.

        Raises:
            WrongAnswerError: it is not 200.
        """
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        try:
            writer.write(self._request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            answer = await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
        except BaseException:
            writer.close()
            self._streams = None
            raise
        if b" 200 " not in head.split(b"\r\n")[0]:
            raise WrongAnswerError(answer[:200].decode(errors="replace"))


def grpc_caller(channel: grpc.aio.Channel, body: bytes) -> Call:
    """Return what calls Predict."""
    predict = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")

    async def call() -> None:
        await predict(body, timeout=60)

    return call


async def keep_pace(call: Call, rate: float, first: float, until: float, seen: Seen) -> None:
    """Call at a rate, first then; what is late is sent at once, and timed from when it was due."""
    due = first
    while due < until:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        try:
            await asyncio.wait_for(call(), 60)
        except Exception as error:  # whatever it is, the server owes an answer
            seen.failures.append(f"{type(error).__name__}: {error}"[:300])
        else:
            seen.latencies.append((time.perf_counter() - due) * 1000)
        due += 1 / rate


async def _tell(seen: dict[str, Seen], seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        tell(seen)


def tell(seen: dict[str, Seen]) -> None:
    """Print what was seen, and forget it."""
    for way, one in seen.items():
        print(json.dumps({"way": way, "latencies": one.latencies, "failures": one.failures}), flush=True)
        one.latencies, one.failures = [], []


async def _run(options: argparse.Namespace) -> None:
    import numpy as np

    value: Array = np.ones(1, np.float32)
    started = time.perf_counter()
    until = started + options.seconds
    models = options.models.split(",")
    seen: dict[str, Seen] = {}
    target = f"127.0.0.1:{options.grpc_port}"
    async with asyncio.TaskGroup() as group:
        for model in models:
            rest = RestCaller(options.rest_port, model, b'{"instances":[1.0]}')
            channel = grpc.aio.insecure_channel(target, options=[("grpc.use_local_subchannel_pool", 1)])
            calls: dict[str, Call] = {
                "REST": rest,
                "gRPC": grpc_caller(channel, grpc_body("x", value, model)),
            }
            for way, call in calls.items():
                # Not all at the same moment, or they would wait for each other.
                first = started + len(seen) / (2 * len(models) * options.rate)
                one = seen[f"{model} {way}"] = Seen()
                group.create_task(keep_pace(call, options.rate, first, until, one))
        telling = asyncio.create_task(_tell(seen, options.period))
    telling.cancel()
    tell(seen)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rest_port", type=int, required=True)
    parser.add_argument("--grpc_port", type=int, required=True)
    parser.add_argument("--models", default="light")
    parser.add_argument(
        "--rate", type=float, default=50.0, help="requests a second, by each way for each model"
    )
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--period", type=float, default=1e9, help="seconds between two lines")
    import uvloop

    uvloop.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
