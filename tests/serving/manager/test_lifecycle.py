"""Versions come, are swapped, fail, go: under load, and from buckets."""

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from tensorflow_serving.apis import model_service_pb2_grpc

from serving.messages.protos import model_management_pb2
from serving.release.push import push
from tests.serving.models import digest_of
from tests.serving.process import Running, run_to_end, start
from tests.serving.tf_models import write_half_plus, write_litert

pytestmark = pytest.mark.server

FAST = ("--max_num_load_retries=0", "--file_system_poll_wait_seconds=1")


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models whose y for x = 0 is their number."""
    base = tmp_path_factory.mktemp("versions")
    for number in range(1, 6):
        write_half_plus(base / str(number), float(number))
    return base


def put(source: Path, base: Path, number: int) -> None:
    """Puts a version there at once."""
    base.mkdir(exist_ok=True, parents=True)
    shutil.copytree(source, base / f".{number}")
    (base / f".{number}").rename(base / str(number))


def ask(server: Running, path: str = "") -> Any:
    return server.post(f"/v1/models/default{path}:predict", {"instances": [0]}).json()


def eventually(check: Callable[[], bool], seconds: float = 15) -> None:
    until = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.05)


def states(server: Running, model: str = "default") -> dict[int, str]:
    document = server.get(f"/v1/models/{model}").json()
    return {int(entry["version"]): entry["state"] for entry in document.get("model_version_status", [])}


class Load:
    """Constant load; every answer is checked, and every failure kept."""

    def __init__(self, server: Running, clients: int = 8) -> None:
        self.failures: list[str] = []
        self.seen: set[float] = set()
        self.count = 0
        self._stop = threading.Event()
        self._server = server
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        with httpx.Client(base_url=self._server.url) as client:
            while not self._stop.is_set():
                response = client.post("/v1/models/default:predict", json={"instances": [0, 2]})
                if response.status_code != 200:
                    self.failures.append(response.text)
                    continue
                zero, two = response.json()["predictions"]
                if two != zero + 1:  # the two rows of one answer come from one version
                    self.failures.append(f"torn answer {zero}, {two}")
                self.seen.add(zero)
                self.count += 1


@pytest.mark.run
def test_swaps_and_bad_versions_under_load(versions: Path, tmp_path: Path) -> None:
    base = tmp_path / "model"
    put(versions / "1", base, 1)
    with start(f"--model_base_path={base}", *FAST) as server, Load(server) as load:
        for number in range(2, 6):
            put(versions / str(number), base, number)
            eventually(lambda n=number: float(n) in load.seen)  # type: ignore[misc]
        eventually(lambda: states(server) == {5: "AVAILABLE", **dict.fromkeys(range(1, 5), "END")})
        (base / "6").mkdir()
        (base / "6" / "saved_model.pb").write_bytes(b"\x00corrupt")
        eventually(lambda: states(server).get(6) == "END")
        put(versions / "1", base, 7)
        data = base / "7" / "variables" / "variables.data-00000-of-00001"
        eventually(lambda: states(server).get(7) == "AVAILABLE")
        put(versions / "2", tmp_path / "aside", 8)
        data = tmp_path / "aside" / "8" / "variables" / "variables.data-00000-of-00001"
        data.write_bytes(data.read_bytes()[:3])
        (tmp_path / "aside" / "8").rename(base / "8")
        eventually(lambda: states(server).get(8) == "END")
        eventually(lambda: 1.0 in load.seen)
        shutil.rmtree(base)  # the place is gone: what is served stays
        time.sleep(2)
        assert states(server)[7] == "AVAILABLE"
    assert load.failures == []
    assert load.count > 100
    assert load.seen == {1.0, 2.0, 3.0, 4.0, 5.0}


def test_deleted_versions_are_unloaded(versions: Path, tmp_path: Path) -> None:
    base = tmp_path / "model"
    put(versions / "1", base, 1)
    with start(f"--model_base_path={base}", *FAST) as server:
        shutil.rmtree(base / "1")
        eventually(lambda: states(server) == {1: "END"})
        assert ask(server) == {"error": "Servable not found for request: Latest(default)"}
        assert server.get("/healthz/ready").status_code == 503
        put(versions / "2", base, 1)
        eventually(lambda: ask(server) == {"predictions": [2.0]})


def test_a_failed_version_is_tried_again(versions: Path, tmp_path: Path) -> None:
    base = tmp_path / "model"
    put(versions / "1", base, 1)
    (base / "1" / "saved_model.pb").rename(tmp_path / "pb")
    flags = ("--max_num_load_retries=100", "--load_retry_interval_micros=200000")
    with start(f"--model_base_path={base}", *flags, ready=False) as server:
        server.wait("next attempt in 0.2 s")
        response = server.post("/v1/models/default:predict", {"instances": [0]})
        assert response.status_code == 503
        assert server.get("/healthz/live").status_code == 200
        (tmp_path / "pb").rename(base / "1" / "saved_model.pb")
        server.wait("server is ready")
        assert ask(server) == {"predictions": [1.0]}


def test_release_digests_are_checked_before_a_version_is_loaded(versions: Path, tmp_path: Path) -> None:
    for number in ("1", "2"):
        push(tmp_path, "default", versions / number, approved=[digest_of(versions / number)])
    index = tmp_path / "default" / "2" / "variables" / "variables.index"
    index.write_bytes(index.read_bytes() + b"x")
    code, output = run_to_end(
        f"--model_base_path={tmp_path / 'default'}", *FAST, f"--grpc_socket_path={tmp_path}/s", "--port=0"
    )
    assert code == 255
    assert "damaged or altered" in output


def test_models_come_from_s3(versions: Path, s3_url: str, tmp_path: Path) -> None:
    def release(number: str) -> None:
        push(s3_url, "default", versions / number, approved=[digest_of(versions / number)], keep=1)

    release("1")
    cache = tmp_path / "cache"
    flags = (f"--model_base_path={s3_url}/default", f"--model_cache_dir={cache}", *FAST)
    with start(*flags) as server, Load(server, clients=2) as load:
        assert ask(server) == {"predictions": [1.0]}
        release("2")
        eventually(lambda: ask(server) == {"predictions": [2.0]})
        eventually(lambda: [path.name for path in (cache / "default").glob("*/*")] == ["2"])
    assert load.failures == []
    assert load.seen <= {1.0, 2.0}


CONFIG = """
model_config_list {{
  config {{ name: "default" base_path: "{base}" model_platform: "tensorflow" {more} }}
}}
"""


def test_policies_and_reload_by_file(versions: Path, tmp_path: Path) -> None:
    path = tmp_path / "models.config"

    def write(more: str) -> None:
        (tmp_path / "new").write_text(CONFIG.format(base=versions, more=more))
        (tmp_path / "new").rename(path)

    write("model_version_policy { specific { versions: 2 versions: 4 } }")
    flags = (f"--model_config_file={path}", "--model_config_file_poll_wait_seconds=1", *FAST)
    with start(*flags) as server:
        assert states(server) == {4: "AVAILABLE", 2: "AVAILABLE"}
        assert ask(server, "/versions/2") == {"predictions": [2.0]}
        write("model_version_policy { latest { num_versions: 2 } }")
        eventually(lambda: states(server) == {5: "AVAILABLE", 4: "AVAILABLE", 2: "END"})
        path.write_text("no config")
        server.wait("Error parsing text-format")
        write("model_version_policy { all {} } version_labels { key: 'old' value: 1 }")
        eventually(lambda: ask(server, "/labels/old") == {"predictions": [1.0]})
        write("model_version_policy { all {} } version_labels { key: 'old' value: 77 }")
        server.wait("not currently available for inference")
        assert ask(server, "/labels/old") == {"predictions": [1.0]}


def test_reload_by_grpc(versions: Path) -> None:
    with (
        start(f"--model_base_path={versions}", *FAST) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        stub = model_service_pb2_grpc.ModelServiceStub(channel)
        request = model_management_pb2.ReloadConfigRequest()
        entry = request.config.model_config_list.config.add()
        entry.name, entry.base_path, entry.model_platform = "other", str(versions), "tensorflow"
        response = stub.HandleReloadConfigRequest(request, timeout=30)
        assert response.status.error_code == 0
        answer = server.post("/v1/models/other:predict", {"instances": [0]})
        assert answer.json() == {"predictions": [5.0]}
        eventually(lambda: states(server) == {5: "END"})
        entry.base_path = "relative/path"
        with pytest.raises(grpc.RpcError) as caught:
            stub.HandleReloadConfigRequest(request, timeout=30)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "absolute path" in caught.value.details()
        answer = server.post("/v1/models/other:predict", {"instances": [0]})
        assert answer.json() == {"predictions": [5.0]}


def test_litert_needs_no_tensorflow(tmp_path: Path) -> None:
    write_litert(tmp_path / "model" / "1", 2.0)
    with start(f"--model_base_path={tmp_path / 'model'}", *FAST) as server:
        assert ask(server) == {"predictions": [2.0]}
        maps = Path(f"/proc/{server.process.pid}/maps").read_text()
        assert "libtensorflow" not in maps
        assert "_pywrap_tensorflow_internal" not in maps
        assert "litert" in maps


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--model_base_path=relative",), "absolute path or URI"),
        ((), "Both --model_base_path and --model_config_file are empty"),
        (("--model_base_path=/x", "--batching_parameters_file=/y"), "needs --enable_batching"),
        (("--model_base_path=/x", "--port=0"), "are not set"),
        (("--model_config_file=/none",), "cannot read tensorflow.serving.ModelServerConfig"),
        (("--model_base_path=/x", "--enable_batching", "--batching_parameters_file=/no"), "cannot read"),
    ],
)
def test_configurations_that_cannot_be(flags: tuple[str, ...], said: str) -> None:
    code, output = run_to_end(*flags)
    assert code == 255
    assert said in output
    assert "Traceback" not in output


def test_unknown_flags_are_refused() -> None:
    code, output = run_to_end("--model_base_pth=/x")
    assert code == 2
    assert "unrecognized arguments: --model_base_pth" in output


def test_version_flag() -> None:
    code, output = run_to_end("--version")
    assert code == 0
    assert output.startswith("TensorFlow ModelServer: ")


def test_a_model_that_fails_ends_the_server(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    code, output = run_to_end(
        f"--model_base_path={tmp_path}", *FAST, "--port=0", "--grpc_socket_path=/tmp/none.sock"
    )
    assert code == 255
    assert "Failed to start server. Error: 1 model(s) did not become available" in output
