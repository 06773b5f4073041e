"""Bad input of every kind: refused with a code of the client's making, never a crash, never a 500.

Some bodies are made from good ones by a seeded generator, so that a failure can be repeated by its number; others are
built from nothing by hypothesis (see `strategies.py`), which reduces a failure to the smallest body that shows it.
"""

import json
import os
import random
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.messages.tensors import to_proto
from serving.messages.warmup_file import predict_request
from tests.serving.process import Running, start
from tests.serving.strategies import grpc_bodies, grpc_paths, rest_bodies, rest_requests
from tests.serving.tf_models import write_half_plus

pytestmark = pytest.mark.server

GOOD: list[Any] = [
    {"instances": [1.0, 2.0]},
    {"inputs": {"x": [1.0]}},
    {"signature_name": "types", "inputs": {"f": [[1.5]], "i": [1], "s": [{"b64": "AA=="}], "t": [True]}},
    {"signature_name": "classify", "examples": [{"x": [1.0]}], "context": {"y": ["a"]}},
]
ODD: list[Any] = [
    None,
    True,
    -1,
    0,
    1.5,
    1e400,
    float("nan"),
    2**63,
    2**64,
    -(2**70),
    "",
    "é",
    "\ud800",
    [],
    [[]],
    {},
    {"b64": "="},
    {"b64": 1},
    [1, [2]],
    {"x": {"x": {}}},
    "a" * 1000,
    [[[[[1]]]]],
    {"": []},
]
#: How many bodies of each kind the memory test sends; `make test-fuzz` sends more.
CASES = int(os.environ.get("SLIPWAY_FUZZ_CASES", "800"))
PATHS = ["predict", "classify", "regress", "versions/1:predict", "labels/x:predict", "predict?x=1"]
METHODS = ["Predict"] * 3 + ["Classify", "Regress", "MultiInference", "GetModelMetadata"]
#: The only codes of the server's side that a request may be answered with.
MAY_FAIL = {503, 504}
ALLOWED = {200, 400, 404, 429, 501}
CODES = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.OUT_OF_RANGE,
}


@pytest.fixture(scope="module", params=["plain", "batching"])
def fuzzed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    base: Path = tmp_path_factory.mktemp("fuzz")
    write_half_plus(base / "1")
    flags = ["--enable_batching"] if request.param == "batching" else []
    with start(f"--model_base_path={base}", *flags) as running:
        yield running


def mutate(value: Any, chance: random.Random) -> Any:
    """A value with some of its parts exchanged, dropped or doubled."""
    if chance.random() < 0.15:
        return chance.choice(ODD)
    if isinstance(value, list):
        items = [mutate(item, chance) for item in value]
        return items * chance.choice([0, 1, 1, 1, 2])
    if isinstance(value, dict):
        pairs = {key: mutate(item, chance) for key, item in value.items() if chance.random() > 0.1}
        if chance.random() < 0.1:
            pairs[chance.choice(["x", "inputs", "instances", "examples", "z"])] = chance.choice(ODD)
        return pairs
    return value


def rest_body(chance: random.Random) -> bytes:
    text = json.dumps(mutate(chance.choice(GOOD), chance)).encode()
    return scramble(text, chance) if chance.random() < 0.3 else text


def scramble(data: bytes, chance: random.Random) -> bytes:
    """Bytes changed, cut out or put in."""
    broken = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        where = chance.randrange(len(broken) + 1)
        kind = chance.random()
        if kind < 0.4 and where < len(broken):
            broken[where] = chance.randrange(256)
        elif kind < 0.7:
            del broken[where : where + chance.randint(1, 8)]
        else:
            broken[where:where] = chance.randbytes(chance.randint(1, 8))
    return bytes(broken)


def grpc_body(chance: random.Random) -> bytes:
    request = predict_request(
        chance.choice(["default", "default", "other", ""]), {"x": np.ones(3, np.float32)}
    )
    if chance.random() < 0.5:
        proto = request.inputs[chance.choice(["x", "z"])]
        kinds: list[Any] = [
            np.ones((2, 2)),
            np.array([b"a"], object),
            np.zeros(0, np.float32),
            np.array(True),
        ]
        proto.CopyFrom(to_proto(chance.choice(kinds), packed=False))
        if chance.random() < 0.5:
            proto.dtype = chance.randrange(0, 140)
        if chance.random() < 0.5:
            proto.tensor_shape.dim.add(size=chance.choice([-1, 0, 3, 2**31, 2**62]))
        if chance.random() < 0.3:
            proto.tensor_content = chance.randbytes(chance.randint(1, 40))
    data: bytes = request.SerializeToString()
    return scramble(data, chance) if chance.random() < 0.5 else data


def fuzz_rest(server: Running, cases: int) -> None:
    with httpx.Client(base_url=server.url, timeout=30) as client:
        for case in range(cases):
            chance = random.Random(case)
            path = chance.choice(PATHS)
            separator = "/" if path.startswith(("versions", "labels")) else ":"
            response = client.post(f"/v1/models/default{separator}{path}", content=rest_body(chance))
            assert response.status_code in ALLOWED, f"case {case}: {response.status_code} {response.text}"


def fuzz_grpc(server: Running, cases: int) -> None:
    with grpc.insecure_channel(server.address) as channel:
        calls = {
            name: channel.unary_unary(f"/tensorflow.serving.PredictionService/{name}") for name in METHODS
        }
        for case in range(cases):
            chance = random.Random(case)
            answer = calls[chance.choice(METHODS)].future(grpc_body(chance), timeout=30)
            code = answer.code()
            assert code is grpc.StatusCode.OK or code in CODES, f"case {case}: {code} {answer.details()}"


def properties(cases: int) -> settings:
    """The same cases in every run: what fails here fails again."""
    return settings(
        max_examples=cases,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def every_rest_body(server: Running, cases: int) -> set[int]:
    """Asks by hypothesis' bodies; returns the codes that came."""
    seen: set[int] = set()
    with httpx.Client(base_url=server.url, timeout=30) as client:

        @properties(cases)
        @given(rest_bodies(), st.sampled_from(PATHS))
        def check(body: bytes, path: str) -> None:
            separator = "/" if path.startswith(("versions", "labels")) else ":"
            response = client.post(f"/v1/models/default{separator}{path}", content=body)
            assert response.status_code in ALLOWED, f"{response.status_code} {response.text}"
            assert response.status_code == 200 or set(response.json()) == {"error"}
            seen.add(response.status_code)

        check()
    return seen


def every_grpc_body(server: Running, cases: int) -> set[grpc.StatusCode]:
    """The same over gRPC."""
    seen: set[grpc.StatusCode] = set()
    with grpc.insecure_channel(server.address) as channel:
        calls = {
            name: channel.unary_unary(f"/tensorflow.serving.PredictionService/{name}") for name in METHODS
        }

        @properties(cases)
        @given(grpc_bodies(), st.sampled_from(METHODS))
        def check(body: bytes, method: str) -> None:
            answer = calls[method].future(body, timeout=30)
            code = answer.code()
            assert code is grpc.StatusCode.OK or code in CODES, f"{code} {answer.details()}"
            seen.add(code)

        check()
    return seen


def every_rest_request(server: Running, cases: int) -> set[int]:
    """Asks by any bytes on any path; returns the codes that came."""
    seen: set[int] = set()

    @properties(cases)
    @given(rest_requests())
    def check(request: bytes) -> None:
        got = b""
        with socket.create_connection(("127.0.0.1", server.rest_port), timeout=20) as client:
            client.sendall(request)
            while part := client.recv(1 << 16):
                got += part
        codes = [int(code) for code in re.findall(rb"HTTP/1\.1 (\d+) ", got)]
        allowed = MAY_FAIL | ({501} if b"content-encoding" in request else set())
        assert all(code < 500 or code in allowed for code in codes), got
        seen.update(codes)

    check()
    return seen


def every_grpc_request(server: Running, cases: int) -> set[grpc.StatusCode]:
    """The same over gRPC."""
    seen: set[grpc.StatusCode] = set()
    with grpc.insecure_channel(server.address) as channel:

        @properties(cases)
        @given(grpc_paths(), grpc_bodies(), st.sampled_from([None, grpc.Compression.Gzip]))
        def check(path: str, body: bytes, compression: Any) -> None:
            answer = channel.unary_unary(path).future(body, timeout=30, compression=compression)
            code = answer.code()
            assert code is grpc.StatusCode.OK or code in CODES, f"{code} {answer.details()}"
            seen.add(code)

        check()
    return seen


@pytest.mark.run
def test_any_bytes_on_any_path(fuzzed: Running) -> None:
    """No 5xx but 503 and 504, and nothing in the log that an operator would take for a fault of the server's."""
    assert {200, 400, 404, 405} & every_rest_request(fuzzed, CASES // 2) >= {200, 400, 404}
    assert every_grpc_request(fuzzed, CASES // 2) >= {
        grpc.StatusCode.OK,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.UNIMPLEMENTED,
    }
    assert fuzzed.post("/v1/models/default:predict", {"instances": [2]}).json() == {"predictions": [3.0]}
    output = fuzzed.output()
    assert "Traceback" not in output
    assert " ERROR slipway" not in output


@pytest.mark.run
def test_a_few(fuzzed: Running) -> None:
    fuzz_rest(fuzzed, 300)
    fuzz_grpc(fuzzed, 300)
    # The bodies are no mere noise: some are good.
    assert {200, 400} <= every_rest_body(fuzzed, 300)
    assert {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT} <= every_grpc_body(fuzzed, 300)
    assert fuzzed.post("/v1/models/default:predict", {"instances": [2]}).json() == {"predictions": [3.0]}


@pytest.mark.run
def test_thousands_without_growth(fuzzed: Running) -> None:
    fuzz_rest(fuzzed, CASES // 2)
    fuzz_grpc(fuzzed, CASES // 2)
    every_rest_body(fuzzed, CASES // 4)
    every_grpc_body(fuzzed, CASES // 4)
    before = fuzzed.memory()
    fuzz_rest(fuzzed, CASES)
    fuzz_grpc(fuzzed, CASES)
    every_rest_body(fuzzed, CASES)
    every_grpc_body(fuzzed, CASES)
    assert fuzzed.memory() - before < 30 << 20
    assert "Traceback" not in fuzzed.output()
    assert fuzzed.post("/v1/models/default:predict", {"instances": [2]}).json() == {"predictions": [3.0]}
