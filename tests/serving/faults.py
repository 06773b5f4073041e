"""What the fault tests need: places that versions are put into and that can go away, and a load that checks answers."""

import contextlib
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import boto3
import grpc
import httpx
import numpy as np
from moto.server import ThreadedMotoServer

from serving.messages.protos import predict_pb2
from serving.messages.tensors import to_array
from serving.messages.warmup_file import predict_request
from tests.serving.process import Running

INPUT = [0.0, 2.0]


def config_text(models: Mapping[str, str]) -> str:
    entries = [
        f'config {{ name: "{name}" base_path: "{base}" model_platform: "tensorflow" }}'
        for name, base in models.items()
    ]
    return "model_config_list {" + "\n".join(entries) + "}"


@contextlib.contextmanager
def long_call(server: Running, count: int) -> Iterator[Any]:
    """A call of the model `loop` by gRPC, which the server has begun."""
    with grpc.insecure_channel(server.address) as channel:
        stub = channel.unary_unary(
            "/tensorflow.serving.PredictionService/Predict",
            predict_pb2.PredictRequest.SerializeToString,
            predict_pb2.PredictResponse.FromString,
        )
        request = predict_request("loop", {"n": np.array([count], np.int32)})
        call = stub.future(request, timeout=120)
        time.sleep(0.5)
        assert not call.done()
        yield call


def seconds_to_end(server: Running, limit: float = 60) -> float:
    started = time.monotonic()
    server.process.terminate()
    assert server.process.wait(limit) == 0, server.output()
    return time.monotonic() - started


class Place(Protocol):
    """Where the server looks for versions."""

    url: str

    def put(self, number: int, source: Path) -> None:
        """Makes a version appear."""

    def remove(self, number: int) -> None:
        """Deletes a version."""

    def go_away(self) -> None:
        """From now on nobody reaches the place."""

    def come_back(self) -> None:
        """It is there again, as it was."""


class Folder:
    """A folder; it goes away as an unmounted disk does."""

    def __init__(self, base: Path) -> None:
        self._base = base / "bucket"
        self.url = str(self._base / "default")
        Path(self.url).mkdir(parents=True)

    def put(self, number: int, source: Path) -> None:
        hidden = Path(self.url) / f".{number}"
        shutil.copytree(source, hidden)
        hidden.rename(Path(self.url) / str(number))

    def remove(self, number: int) -> None:
        shutil.rmtree(Path(self.url) / str(number))

    def go_away(self) -> None:
        self._base.rename(self._base.with_name("away"))

    def come_back(self) -> None:
        self._base.with_name("away").rename(self._base)


class ObjectStore:
    """S3 as moto serves it, on a port of its own, where nobody listens while it is away."""

    def __init__(self, port: int) -> None:
        self._bucket = f"faults-{port}"  # what moto holds outlives its server, for the whole process
        self.url = f"s3://{self._bucket}/default"
        self.port = port
        self.endpoint = f"http://127.0.0.1:{port}"
        self.come_back()
        self._client = boto3.client("s3", endpoint_url=self.endpoint)
        self._client.create_bucket(Bucket=self._bucket)

    def put(self, number: int, source: Path) -> None:
        files = [path for path in source.rglob("*") if path.is_file()]
        for path in sorted(files, key=lambda path: path.name == "saved_model.pb"):  # the entry file last
            key = f"default/{number}/{path.relative_to(source).as_posix()}"
            self._client.upload_file(str(path), self._bucket, key)

    def remove(self, number: int) -> None:
        listed = self._client.list_objects_v2(Bucket=self._bucket, Prefix=f"default/{number}/")
        keys = [entry["Key"] for entry in listed["Contents"]]
        for key in sorted(keys, key=lambda key: not key.endswith("saved_model.pb")):
            self._client.delete_object(Bucket=self._bucket, Key=key)

    def go_away(self) -> None:
        self._moto.stop()

    def come_back(self) -> None:
        self._moto = ThreadedMotoServer(ip_address="127.0.0.1", port=self.port, verbose=False)
        self._moto.start()


class Load:
    """Constant load over REST and gRPC from 16 threads. Every answer is checked, and every failure kept.

    Version n answers x / 2 + n, so an answer tells who computed it; over gRPC it must be who it says.

    Attributes:
        failures: what went wrong before `ending` was set, and wrong answers whenever.
        latest: the version of the last answer.
        count: how many answers were right.
        ending: set when the server is about to be stopped: a refused connection then ends a client.
    """

    def __init__(self, server: Running, numbers: range) -> None:
        self.failures: list[str] = []
        self.latest = 0
        self.count = 0
        self.ending = threading.Event()
        self._numbers = numbers
        self._server = server
        self._stop = threading.Event()
        ways = [self._rest] * 12 + [self._grpc] * 4
        self._threads = [threading.Thread(target=way) for way in ways]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a client still waits for its answer"

    def serves(self, number: int, seconds: float = 20) -> None:
        """Waits until the answers come from a version."""
        until = time.monotonic() + seconds
        while self.latest != number:
            said = "; ".join(self.failures[:3])
            assert time.monotonic() < until, f"answers come from {self.latest}, not {number}. {said}"
            time.sleep(0.02)

    def _check(self, zero: float, one: float, said: int | None = None) -> None:
        if one != zero + 1 or zero not in self._numbers or said not in (None, int(zero)):
            self.failures.append(f"wrong answer: {zero}, {one}, of version {said}")
            return
        self.latest = int(zero)
        self.count += 1

    def _rest(self) -> None:
        body = {"instances": INPUT}
        with httpx.Client(base_url=self._server.url, timeout=30) as client:
            while not self._stop.wait(0.01):
                try:
                    response = client.post("/v1/models/default:predict", json=body)
                except httpx.TransportError as error:
                    if self.ending.is_set():
                        return
                    self.failures.append(repr(error))
                    continue
                if response.status_code == 200:
                    self._check(*response.json()["predictions"])
                else:
                    self.failures.append(response.text)

    def _grpc(self) -> None:
        request = predict_request("default", {"x": np.array(INPUT, np.float32)})
        with grpc.insecure_channel(self._server.address) as channel:
            call = channel.unary_unary(
                "/tensorflow.serving.PredictionService/Predict",
                predict_pb2.PredictRequest.SerializeToString,
                predict_pb2.PredictResponse.FromString,
            )
            while not self._stop.wait(0.01):
                try:
                    response = call(request, timeout=30)
                except grpc.RpcError as error:
                    if self.ending.is_set() and error.code() is grpc.StatusCode.UNAVAILABLE:
                        return
                    self.failures.append(f"{error.code()} {error.details()}")
                    continue
                zero, one = to_array(response.outputs["y"], "y").tolist()
                self._check(zero, one, response.model_spec.version.value)
