"""Everything that goes wrong in a server's life, under load: no failed request, no wrong answer, no lost memory."""

import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from serving.predict import Client
from serving.process import free_port
from tests.serving.faults import Folder, Load, ObjectStore, Place
from tests.serving.process import start
from tests.serving.test_lifecycle import eventually, states
from tests.serving.tf_models import write_half_plus

SWAPS = 10
AWAY_SECONDS = 30


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
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    store = ObjectStore(free_port())
    monkeypatch.setenv("AWS_ENDPOINT_URL", store.endpoint)
    yield store
    store.go_away()


@pytest.mark.long
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
        assert load.count - count > AWAY_SECONDS * 50
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
