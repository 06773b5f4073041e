"""Everything that goes wrong in a server's life, under load: no failed request, no wrong answer, no lost memory."""

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from serving.client import Client
from serving.client.local import free_port
from tests.serving.faults import Folder, Load, ObjectStore, Place
from tests.serving.manager.test_lifecycle import eventually, states
from tests.serving.process import start
from tests.serving.tf_models import write_half_plus

pytestmark = pytest.mark.server

SWAPS = 10
AWAY_SECONDS = 5


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("versions")
    for number in range(1, SWAPS + 6):
        write_half_plus(base / str(number), float(number))
    return base


@pytest.fixture(params=["file", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    if request.param == "file":
        yield Folder(tmp_path)
        return
    store = use_object_store(monkeypatch)
    yield store
    store.go_away()


def use_object_store(monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """S3, and what a server must know in its environment to find it."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    store = ObjectStore(free_port())
    monkeypatch.setenv("AWS_ENDPOINT_URL", store.endpoint)
    return store


@pytest.mark.run
def test_faults_under_load(place: Place, versions: Path, tmp_path: Path) -> None:
    corrupt = tmp_path / "corrupt"
    shutil.copytree(versions / "1", corrupt)
    (corrupt / "saved_model.pb").write_bytes(b"\x00corrupt")
    truncated = tmp_path / "truncated"
    shutil.copytree(versions / "1", truncated)
    data = truncated / "variables" / "variables.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:3])

    place.put(1, versions / "1")
    flags = (f"--model_base_path={place.url}", "--max_num_load_retries=0", "--enable_batching")
    with start(*flags) as server, Load(server, range(1, SWAPS + 5)) as load:
        load.serves(1)
        place.put(2, versions / "2")
        load.serves(2)
        before = server.memory()
        for number in range(3, SWAPS + 2):
            place.put(number, versions / str(number))
            load.serves(number)
        last = SWAPS + 1
        place.put(last + 1, corrupt)
        eventually(lambda: states(server).get(last + 1) == "END")
        place.put(last + 2, truncated)
        eventually(lambda: states(server).get(last + 2) == "END")
        assert states(server)[last] == "AVAILABLE"
        place.remove(last + 2)
        place.remove(last + 1)
        place.remove(last)  # the one that serves: the one before it comes back
        load.serves(last - 1)

        place.go_away()
        count = load.count
        time.sleep(AWAY_SECONDS)
        assert load.count - count > AWAY_SECONDS, "answers came all the while"
        assert states(server)[last - 1] == "AVAILABLE"
        place.come_back()
        place.put(last + 3, versions / str(last + 3))
        load.serves(last + 3)
        eventually(lambda: "AVAILABLE" not in [s for n, s in states(server).items() if n != last + 3])
        grown = server.memory() - before
        assert load.failures == []
        assert grown < 50 << 20, f"{grown >> 20} MiB more than before"

        load.ending.set()
        server.process.terminate()
        assert server.process.wait(30) == 0, server.output()
        output = server.output()
    assert load.failures == []
    assert "Traceback" not in output


@pytest.mark.run
def test_a_store_that_hangs_holds_up_nothing_else(
    versions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It accepts connections and never answers: its model stays, and another's versions come and go."""
    store, folder = use_object_store(monkeypatch), Folder(tmp_path)
    store.put(1, versions / "1")
    folder.put(2, versions / "2")
    config = tmp_path / "models.config"
    entries = [
        f'config {{ name: "{name}" base_path: "{place.url}" model_platform: "tensorflow" }}'
        for name, place in (("default", folder), ("far", store))
    ]
    config.write_text("model_config_list {" + "\n".join(entries) + "}")
    with start(f"--model_config_file={config}") as server:
        store.go_away()
        with socket.create_server(("127.0.0.1", store.port)) as silent:
            held = []
            silent.settimeout(10)
            held.append(silent.accept()[0])  # the server is looking, and hangs
            silent.settimeout(0.01)
            # It hangs until the end of this block: what happens in it did not wait for the store.
            for number in (3, 4):
                folder.put(number, versions / str(number))
                eventually(lambda n=number: states(server).get(n) == "AVAILABLE", 60)  # type: ignore[misc]
                eventually(lambda n=number: states(server).get(n - 1) == "END", 60)  # type: ignore[misc]
            for _ in range(50):
                answer = server.post("/v1/models/far:predict", {"instances": [2]}, timeout=60)
                assert answer.json() == {"predictions": [2.0]}
            server.process.terminate()
            assert server.process.wait(60) == 0
            for connection in held:
                connection.close()


def test_requests_in_flight_finish_after_sigterm(versions: Path, tmp_path: Path) -> None:
    parameters = tmp_path / "batching.config"
    parameters.write_text("batch_timeout_micros { value: 1500000 } max_batch_size { value: 1000 }")
    (tmp_path / "model").mkdir()
    shutil.copytree(versions / "1", tmp_path / "model" / "1")
    flags = ("--enable_batching", f"--batching_parameters_file={parameters}")
    with start(f"--model_base_path={tmp_path / 'model'}", *flags) as server:
        urls = [server.url, f"grpc://{server.address}"]
        sent = threading.Barrier(17)

        def ask(number: int) -> float:
            with Client(urls[number % 2], "default", retries=0) as client:
                sent.wait()
                answer = client.predict(np.array([float(number)], np.float32))
            return float(answer["y"][0])

        with ThreadPoolExecutor(16) as pool:
            answers = [pool.submit(ask, number) for number in range(16)]
            sent.wait()
            time.sleep(0.7)  # they are with the server, and wait for company
            assert not any(answer.done() for answer in answers)
            server.process.terminate()
            assert [answer.result() for answer in answers] == [number / 2 + 1 for number in range(16)]
        assert server.process.wait(30) == 0, server.output()
