"""What hangs, is missing or is wrong holds up nothing else: not the next configuration, nor readiness, nor the end."""

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
from tensorflow_serving.apis import model_service_pb2_grpc

from serving.messages.protos import model_management_pb2
from tests.serving.faults import config_text, long_call, seconds_to_end
from tests.serving.manager.test_lifecycle import eventually, put, states
from tests.serving.process import Running, start
from tests.serving.tf_models import write_half_plus, write_loop

pytestmark = pytest.mark.server

FAST = ("--max_num_load_retries=0", "--file_system_poll_wait_seconds=1")
#: Far below what a hang would take, far above what a busy machine needs.
SOON = 15.0


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("version") / "1"
    write_half_plus(folder, 1.0)
    return folder


@pytest.fixture
def place(version: Path, tmp_path: Path) -> Callable[[str], str]:
    """Gives models a base path with version 1, by name."""

    def base(name: str) -> str:
        if not (tmp_path / name).exists():
            put(version, tmp_path / name, 1)
        return str(tmp_path / name)

    return base


def write(path: Path, models: Mapping[str, str]) -> None:
    new = path.with_name("new")
    new.write_text(config_text(models))
    new.rename(path)


class Control:
    """Sends configurations by gRPC."""

    def __init__(self, server: Running) -> None:
        self._channel = grpc.insecure_channel(server.address)
        self._stub = model_service_pb2_grpc.ModelServiceStub(self._channel)

    def __enter__(self) -> "Control":
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def begin(self, models: Mapping[str, str], timeout: float = SOON) -> Any:
        request = model_management_pb2.ReloadConfigRequest()
        for name, base in models.items():
            entry = request.config.model_config_list.config.add()
            entry.name, entry.base_path, entry.model_platform = name, base, "tensorflow"
        return self._stub.HandleReloadConfigRequest.future(request, timeout=timeout)

    def reload(self, models: Mapping[str, str], timeout: float = SOON) -> grpc.StatusCode:
        """Sends a configuration; returns the code."""
        code: grpc.StatusCode = self.begin(models, timeout).code()
        return code


@contextlib.contextmanager
def controlled(place: Callable[[str], str]) -> Iterator[tuple[Running, Control]]:
    """A server with the model a, and those who change its configuration."""
    with (
        start(f"--model_base_path={place('a')}", "--model_name=a", *FAST) as server,
        Control(server) as control,
    ):
        yield server, control


def answers(server: Running, model: str) -> bool:
    return server.post(f"/v1/models/{model}:predict", {"instances": [0]}).status_code == 200


def ready(server: Running) -> bool:
    return server.get("/healthz/ready").status_code == 200


def test_a_path_that_is_not_there_holds_up_no_other_configuration(
    place: Callable[[str], str], tmp_path: Path
) -> None:
    good = {"a": place("a")}
    with controlled(place) as (server, control):
        for number in range(12):
            missing = {**good, f"no{number}": str(tmp_path / f"no{number}")}
            assert control.reload(missing, timeout=0.3) is grpc.StatusCode.DEADLINE_EXCEEDED
        assert ready(server), "a model that never was there takes a healthy server out of service"
        threads = len(list(Path(f"/proc/{server.process.pid}/task").iterdir()))
        assert control.reload({**good, "b": place("b")}) is grpc.StatusCode.OK
        assert answers(server, "a")
        assert answers(server, "b")
        # The same with the missing path still in it: it is not new any more.
        missing = {**good, "no": str(tmp_path / "no")}
        assert control.reload(missing, timeout=0.3) is grpc.StatusCode.DEADLINE_EXCEEDED
        assert control.reload({**missing, "c": place("c")}) is grpc.StatusCode.OK
        assert answers(server, "c")
        waiting = control.begin({**good, "never": str(tmp_path / "never")}, timeout=60)
        eventually(lambda: server.get("/v1/models/c").json() != {})
        time.sleep(0.5)
        assert len(list(Path(f"/proc/{server.process.pid}/task").iterdir())) <= threads + 2
        assert seconds_to_end(server) < SOON
        assert waiting.code() is grpc.StatusCode.UNAVAILABLE


def test_a_newer_configuration_takes_the_place_of_one_that_waits(
    place: Callable[[str], str], tmp_path: Path
) -> None:
    good = {"a": place("a")}
    with controlled(place) as (server, control):
        older = control.begin({**good, "b": str(tmp_path / "late")}, timeout=60)
        eventually(lambda: "cannot list versions" in server.output())
        assert control.reload({**good, "c": place("c")}) is grpc.StatusCode.OK
        assert older.code() is grpc.StatusCode.ABORTED
        assert "newer configuration" in older.details()
        # One that is not replaced comes to its end whenever the path appears.
        patient = control.begin({**good, "b": str(tmp_path / "late")}, timeout=60)
        time.sleep(0.5)
        place("late")
        assert patient.code() is grpc.StatusCode.OK
        assert answers(server, "b")


def test_a_typo_in_the_polled_file_can_be_corrected(place: Callable[[str], str], tmp_path: Path) -> None:
    path = tmp_path / "models.config"
    write(path, {"a": place("a")})
    flags = (f"--model_config_file={path}", "--model_config_file_poll_wait_seconds=1", *FAST)
    with start(*flags) as server:
        write(path, {"a": place("a"), "b": str(tmp_path / "typo"), "c": place("c")})
        eventually(lambda: answers(server, "c"))
        assert ready(server)
        write(path, {"a": place("a"), "b": place("b")})
        eventually(lambda: answers(server, "b"))
        assert ready(server)
        shutil.rmtree(place("b") + "/1")  # a model that was available is missed
        eventually(lambda: not ready(server))
        assert server.get("/healthz/ready").json()["models_without_version"] == ["b"]


def test_a_typo_in_the_first_file_can_be_corrected(place: Callable[[str], str], tmp_path: Path) -> None:
    path = tmp_path / "models.config"
    write(path, {"a": place("a"), "b": str(tmp_path / "typo")})
    flags = (f"--model_config_file={path}", "--model_config_file_poll_wait_seconds=1", *FAST)
    with start(*flags, ready=False) as server:
        server.wait("cannot list versions")
        assert not ready(server)
        write(path, {"a": place("a"), "b": place("b")})
        server.wait("server is ready", SOON)
        assert answers(server, "a")
        assert answers(server, "b")
        assert ready(server)


def test_a_model_that_comes_back_is_new(place: Callable[[str], str], tmp_path: Path) -> None:
    good, bad = {"a": place("a")}, tmp_path / "bad"
    (bad / "1").mkdir(parents=True)
    with controlled(place) as (server, control):
        for _ in range(3):
            assert control.reload({**good, "b": place("b")}) is grpc.StatusCode.OK
            assert answers(server, "b")
            assert control.reload(good) is grpc.StatusCode.OK
            eventually(lambda: not answers(server, "b"))
        for _ in range(3):
            assert control.reload({**good, "bad": str(bad)}) is grpc.StatusCode.UNKNOWN
            assert control.reload(good) is grpc.StatusCode.OK
        assert control.reload({**good, "b": str(tmp_path / "typo")}, 0.5) is grpc.StatusCode.DEADLINE_EXCEEDED
        assert ready(server)


def test_a_model_comes_back_while_a_call_holds_it(tmp_path: Path, place: Callable[[str], str]) -> None:
    """Even if nobody looks for versions again: it was told to come back, and does when the call has ended."""
    write_loop(tmp_path / "loop" / "1")
    models = {"a": place("a"), "loop": str(tmp_path / "loop")}
    path = tmp_path / "models.config"
    write(path, models)
    flags = (f"--model_config_file={path}", "--file_system_poll_wait_seconds=0", "--max_num_load_retries=0")
    with start(*flags) as server, Control(server) as control, long_call(server, 500_000) as call:
        assert control.reload({"a": models["a"]}) is grpc.StatusCode.OK
        eventually(lambda: states(server, "loop") == {1: "UNLOADING"})
        back = control.begin(models, timeout=60)
        assert call.code() is grpc.StatusCode.OK
        assert back.code() is grpc.StatusCode.OK
        assert states(server, "loop") == {1: "AVAILABLE"}


def test_a_configuration_that_is_sent_twice_waits_both_times(
    place: Callable[[str], str], tmp_path: Path
) -> None:
    """A client that gave up too soon, and asks again, must not be told that all is well."""
    with (
        start(
            f"--model_base_path={place('a')}",
            "--model_name=a",
            "--max_num_load_retries=100",
            "--load_retry_interval_micros=200000",
        ) as server,
        Control(server) as control,
    ):
        (tmp_path / "b" / "1").mkdir(parents=True)
        models = {"a": place("a"), "b": str(tmp_path / "b")}
        assert control.reload(models, timeout=1) is grpc.StatusCode.DEADLINE_EXCEEDED
        again = control.begin(models, timeout=60)
        time.sleep(1)
        assert not again.done()
        shutil.copytree(tmp_path / "a" / "1", tmp_path / "b" / "1", dirs_exist_ok=True)
        assert again.code() is grpc.StatusCode.OK
        assert answers(server, "b")


def test_a_bucket_that_does_not_answer(place: Callable[[str], str], silent_bucket: str) -> None:
    good = {"a": place("a")}
    flags = ("--num_load_threads=1", *FAST)
    with (
        start(f"--model_base_path={place('a')}", "--model_name=a", *flags) as server,
        Control(server) as control,
    ):
        for number in range(4):
            models = {**good, f"s{number}": f"{silent_bucket}{number}"}
            assert control.reload(models, timeout=0.5) is grpc.StatusCode.DEADLINE_EXCEEDED
        assert control.reload({**good, "b": place("b")}) is grpc.StatusCode.OK
        assert answers(server, "b")
        assert control.reload({**good, "s": silent_bucket}, timeout=0.5) is grpc.StatusCode.DEADLINE_EXCEEDED
        # The place is corrected: what hangs there does not matter any more.
        assert control.reload({**good, "s": place("c")}, timeout=SOON) is grpc.StatusCode.OK
        eventually(lambda: answers(server, "s"))
        waiting = control.begin({**good, "t": silent_bucket}, timeout=60)
        time.sleep(0.5)
        assert seconds_to_end(server) < SOON
        assert waiting.code() is grpc.StatusCode.UNAVAILABLE


def test_a_load_that_hangs_gives_way_when_the_place_is_corrected(
    place: Callable[[str], str], tmp_path: Path
) -> None:
    """A named pipe that nobody writes to hangs whoever opens it, as a disk does that has gone."""
    stuck = tmp_path / "stuck" / "1"
    shutil.copytree(place("a") + "/1", stuck)
    index = stuck / "variables" / "variables.index"
    index.unlink()
    os.mkfifo(index)
    good = {"a": place("a")}
    flags = ("--num_load_threads=1", *FAST)
    with (
        start(f"--model_base_path={place('a')}", "--model_name=a", *flags) as server,
        Control(server) as control,
    ):
        assert control.reload({**good, "b": str(stuck.parent)}, 1) is grpc.StatusCode.DEADLINE_EXCEEDED
        eventually(lambda: states(server, "b") == {1: "LOADING"})
        assert ready(server)
        control.reload({**good, "b": place("b")})
        eventually(lambda: answers(server, "b"))
        assert control.reload(good) is grpc.StatusCode.OK
        waiting = control.begin({**good, "c": str(stuck.parent)}, timeout=60)
        eventually(lambda: states(server, "c") == {1: "LOADING"})
        assert seconds_to_end(server) < SOON
        assert waiting.code() is grpc.StatusCode.UNAVAILABLE
