"""The extras `serving` and `client`, each in an empty environment: no TensorFlow, and LiteRT's own numbers."""

import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

from pipeline.beam import build_package
from serving.client import Client, PredictError
from serving.client.local import ServerProcess, serve
from serving.engine.preprocessing.spec import ImageSpec, write_spec
from serving.release.push import push
from serving.rpc.health import HealthCheckRequest, HealthCheckResponse
from serving.rpc.reflection import ServerReflectionRequest, ServerReflectionResponse
from tests.conftest import REPOSITORY
from tests.serving.models import digest_of, fake_model

pytestmark = pytest.mark.run

SHAPE = (8, 8, 1)
# Neither the sources nor this environment are to be found by the servers.
CLEAN = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))}


def _run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=CLEAN,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as pip builds it; from a copy of the sources, in which a build leaves files."""
    folder = tmp_path_factory.mktemp("package")
    pip = (sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index")
    _run(*pip, "--wheel-dir", folder, build_package(folder), cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


def _environment(folder: Path, wheel: Path, extra: str) -> Path:
    """An environment with the extra, at the versions of the lock file; returns its `bin`."""
    uv = Path(sys.executable).parent / "uv"
    _run(uv, "venv", "-q", "--python", sys.executable, folder, cwd=folder.parent)
    constraint = REPOSITORY / "requirements" / "lock.txt"
    what = f"slipway[{extra}] @ {wheel.as_uri()}"
    _run(uv, "pip", "install", "-q", "--python", folder, what, "--constraint", constraint, cwd=folder.parent)
    listed = _run(uv, "pip", "list", "-q", "--python", folder, cwd=folder.parent)
    assert "tensorflow" not in listed.lower()
    size = sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    packages = len(listed.splitlines()) - 2
    print(f"\nslipway[{extra}]: {packages} packages, {size / 1e6:.0f} MB without byte code")
    return folder / "bin"


@pytest.fixture(scope="module")
def server_bin(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _environment(tmp_path_factory.mktemp("serving") / "venv", wheel, "serving")


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of a LiteRT model with `preprocessing.json`: two scores for a picture of 8 × 8."""
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("release")
    weights = np.random.default_rng(1).normal(size=(64, 2)).astype(np.float32)

    @tf.function(input_signature=[tf.TensorSpec([None, *SHAPE], tf.float32, name="image")])  # type: ignore[untyped-decorator]
    def scores(image: Any) -> dict[str, Any]:
        return {"scores": tf.nn.softmax(tf.reshape(image, [-1, 64]) @ weights)}

    tracked = tf.Module()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([scores.get_concrete_function()], tracked)
    model = folder / "model"
    model.mkdir()
    (model / "model.tflite").write_bytes(converter.convert())
    write_spec(ImageSpec(feature="image", shape=SHAPE), model)
    push(folder / "bucket", "pictures", model, approved=[digest_of(model)])
    return folder / "bucket" / "pictures"


@dataclass
class Pictures:
    """Pictures, and what LiteRT itself answers to them."""

    encoded: list[bytes]
    scores: Any


@pytest.fixture(scope="module")
def pictures(bucket: Path) -> Pictures:
    pixels = np.random.default_rng(2).integers(0, 256, (3, *SHAPE), np.uint8)
    encoded = []
    for one in pixels:
        buffer = io.BytesIO()
        Image.fromarray(one[..., 0]).save(buffer, "PNG")
        encoded.append(buffer.getvalue())
    runner = Interpreter(str(bucket / "1" / "model.tflite")).get_signature_runner("serving_default")
    return Pictures(encoded, runner(image=pixels.astype(np.float32) / 255)["scores"])


def _serve(server_bin: Path, base: Path, log: Path, *flags: str) -> AbstractContextManager[ServerProcess]:
    """Run that environment's server, with nothing of ours on its path."""
    program = [
        str(server_bin / "slipway-serve"),
        "--model_name=pictures",
        f"--model_base_path={base}",
        *flags,
    ]
    return serve(
        lambda grpc_port, rest_port: [*program, f"--port={grpc_port}", f"--rest_api_port={rest_port}"],
        log,
        env=CLEAN,
    )


def _answers(client: Client, images: list[bytes]) -> bool:
    try:
        return bool(client.predict({"image": images}))
    except PredictError:
        return False


@pytest.fixture(scope="module")
def server(
    server_bin: Path, bucket: Path, pictures: Pictures, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    flags = ("--prefer_tflite_model", "--enable_grpc_healthcheck_service", "--enable_profiler")
    # The first start writes byte code, which others do not: it is not what is timed.
    _run(server_bin / "python", "-m", "compileall", "-q", server_bin.parent / "lib", cwd=bucket)
    log = tmp_path_factory.mktemp("server") / "log.txt"
    started = time.monotonic()
    with _serve(server_bin, bucket, log, *flags) as server:
        with Client(server.rest, "pictures", retries=0) as client:
            while not _answers(client, pictures.encoded[:1]):
                assert server.exit_code() is None, server.last_lines()
                assert time.monotonic() - started < 60, server.last_lines()
                time.sleep(0.01)
        print(f"\nthe first answer {time.monotonic() - started:.2f} s after the start")
        yield server


def test_rest_and_grpc_answer_with_litert_s_numbers(server: ServerProcess, pictures: Pictures) -> None:
    for url in (server.rest, server.grpc):
        with Client(url, "pictures") as client:
            assert client.status() == {1: "AVAILABLE"}
            assert client.fields().inputs == {"image": "DT_STRING"}
            answer = client.predict({"image": pictures.encoded})
        np.testing.assert_allclose(answer["scores"], pictures.scores, rtol=1e-6)


def test_health_reflection_and_profiler(server: ServerProcess) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:

        def ask(path: str, request: Any, response: Any) -> Any:
            call = channel.stream_stream if path.endswith("ReflectionInfo") else channel.unary_unary
            return call(
                path,
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=response.FromString,
            )(iter([request]) if path.endswith("ReflectionInfo") else request, timeout=10)

        health = ask("/grpc.health.v1.Health/Check", HealthCheckRequest(), HealthCheckResponse)
        assert health.status == 1
        question = ServerReflectionRequest(file_containing_symbol="tensorflow.serving.PredictionService")
        path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
        (told,) = ask(path, question, ServerReflectionResponse)
        assert len(told.file_descriptor_response.file_descriptor_proto) > 20
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary("/tensorflow.ProfilerService/Profile")(b"", timeout=10)
        assert caught.value.details() == "there is nothing to profile: no TensorFlow model is served"
    assert httpx.get(f"{server.rest}/healthz/ready").status_code == 200


def test_a_saved_model_is_refused_with_what_is_to_be_installed(server_bin: Path, tmp_path: Path) -> None:
    fake_model(tmp_path / "1", "any")
    with _serve(server_bin, tmp_path, tmp_path / "log.txt", "--max_num_load_retries=0") as server:
        assert server.process.wait(60) == 255
    said = server.log.read_text()
    assert "pip install tensorflow" in said
    assert "Traceback" not in said


def test_the_versions_are_told(server_bin: Path, tmp_path: Path) -> None:
    said = _run(server_bin / "slipway-serve", "--version", cwd=tmp_path)
    ours, tensorflow = said.splitlines()
    assert ours.startswith("TensorFlow ModelServer: slipway")
    assert tensorflow == "TensorFlow Library: not installed"


def test_the_client_alone_asks_it(
    server: ServerProcess, wheel: Path, pictures: Pictures, tmp_path: Path
) -> None:
    python = _environment(tmp_path / "venv", wheel, "client") / "python"
    (tmp_path / "picture.png").write_bytes(pictures.encoded[0])
    for url in (server.rest, server.grpc):
        command = (python, "-m", "serving.predict", f"--url={url}", "--model=pictures", "--format=jsonl")
        said = _run(*command, "picture.png", cwd=tmp_path)
        assert f"{pictures.scores[0][0]:.4f}"[:6] in said
