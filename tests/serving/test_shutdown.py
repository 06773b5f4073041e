"""SIGTERM: calls in flight get the time that they were promised, and nobody and nothing gets more."""

import contextlib
import signal
import time
from pathlib import Path

import grpc
import httpx
import pytest

from serving.rpc.health import SERVICE, HealthCheckRequest, HealthCheckResponse
from tests.serving.faults import config_text, long_call, seconds_to_end
from tests.serving.manager.test_lifecycle import eventually
from tests.serving.process import Running, start
from tests.serving.tf_models import write_half_plus, write_loop

pytestmark = pytest.mark.server

#: More than any call here would take to its end.
FOR_EVER = 100_000_000
#: What a busy machine may add.
GRACE = 6.0


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    base = tmp_path_factory.mktemp("models")
    write_half_plus(base / "default" / "1")
    write_loop(base / "loop" / "1")
    return {name: str(base / name) for name in ("default", "loop")}


@pytest.fixture
def config(models: dict[str, str], tmp_path: Path) -> str:
    path = tmp_path / "models.config"
    path.write_text(config_text(models))
    return f"--model_config_file={path}"


def test_a_long_call_gets_the_drain_seconds_and_no_more(config: str) -> None:
    with start(config, "--drain_seconds=2") as server, long_call(server, FOR_EVER) as call:
        took = seconds_to_end(server)
        assert 1.5 < took < 2 + GRACE
        assert call.code() is grpc.StatusCode.UNAVAILABLE


def test_a_call_whose_client_has_left_is_not_waited_for(config: str) -> None:
    """It goes on in its thread, which the end of the process must not wait for either."""
    with start(config, "--drain_seconds=60") as server, long_call(server, FOR_EVER) as call:
        call.cancel()
        time.sleep(0.5)
        assert seconds_to_end(server) < GRACE


def test_a_second_signal_ends_the_wait(config: str) -> None:
    with start(config, "--drain_seconds=60") as server, long_call(server, FOR_EVER):
        server.process.terminate()
        time.sleep(1)
        assert server.process.poll() is None
        started = time.monotonic()
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(30) == 0, server.output()
        assert time.monotonic() - started < GRACE


def test_a_watch_of_the_health_ends_with_the_server(config: str) -> None:
    flags = ("--drain_seconds=60", "--enable_grpc_healthcheck_service=true")
    with start(config, *flags) as server, grpc.insecure_channel(server.address) as channel:
        watch = channel.unary_stream(
            f"/{SERVICE}/Watch",
            HealthCheckRequest.SerializeToString,
            HealthCheckResponse.FromString,
        )(HealthCheckRequest())
        assert next(watch).status == 1
        server.process.terminate()
        assert next(watch).status == 2
        with pytest.raises(grpc.RpcError) as caught:
            next(watch)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert server.process.wait(GRACE) == 0


LOG = """logging_config {{
  log_collector_config {{ type: "file" filename_prefix: "{prefix}/calls" }} sampling_config {{ sampling_rate: 1 }}
}}"""


def test_a_request_log_whose_bucket_hangs(models: dict[str, str], silent_bucket: str, tmp_path: Path) -> None:
    path = tmp_path / "models.config"
    log = LOG.format(prefix=silent_bucket)
    path.write_text(
        f'model_config_list {{ config {{ name: "default" base_path: "{models["default"]}" '
        f'model_platform: "tensorflow" {log} }} }}'
    )
    with start(f"--model_config_file={path}") as server:
        assert server.post("/v1/models/default:predict", {"instances": [0]}).status_code == 200
        assert seconds_to_end(server) < 5 + GRACE
        assert "could not be finished" in server.output()


def test_a_server_that_still_waits_for_its_models(tmp_path: Path, silent_bucket: str) -> None:
    with start(f"--model_base_path={tmp_path}/none", ready=False) as server:
        server.wait("cannot list versions")
        assert seconds_to_end(server) < GRACE
    with start(f"--model_base_path={silent_bucket}", ready=False) as server:
        eventually(lambda: is_live(server), 30)
        assert seconds_to_end(server) < GRACE


def is_live(server: Running) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return server.get("/healthz/live").status_code == 200
    return False
