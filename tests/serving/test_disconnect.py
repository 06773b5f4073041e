"""Clients that go away, or run out of time, before they are answered: nothing is computed for them."""

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest

from serving.messages.warmup_file import predict_request
from tests.serving.manager.test_lifecycle import eventually
from tests.serving.process import Running, start
from tests.serving.tf_models import write_half_plus

pytestmark = pytest.mark.server

WAIT_SECONDS = 2


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[Running]:
    """A server whose batches wait for company, so that there is time to leave."""
    write_half_plus(tmp_path / "model" / "1")
    (tmp_path / "batching").write_text(f"batch_timeout_micros {{ value: {WAIT_SECONDS}000000 }}")
    (tmp_path / "monitoring").write_text("prometheus_config { enable: true }")
    flags = ("--enable_batching", f"--batching_parameters_file={tmp_path / 'batching'}")
    more = (f"--monitoring_config_file={tmp_path / 'monitoring'}", "--access_log=json")
    with start(f"--model_base_path={tmp_path / 'model'}", *flags, *more) as server:
        yield server


def rows_computed(server: Running) -> float:
    page = server.get("/monitoring/prometheus/metrics").text
    found = re.search(r"processed_batch_size_sum(?:{.*})? ([\d.]+)", page)
    return float(found[1]) if found else 0.0


def cancelled(server: Running) -> bool:
    page = server.get("/monitoring/prometheus/metrics").text
    return 'request_count{model_name="default",status="CANCELLED"} 1' in page


def test_rest(waiting: Running) -> None:
    body = json.dumps({"instances": [1, 2, 3, 4]}).encode()
    head = f"POST /v1/models/default:predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", waiting.rest_port)) as client:
        client.sendall(head.encode() + body)
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(1)
    eventually(lambda: cancelled(waiting), WAIT_SECONDS / 2)
    answer = waiting.post("/v1/models/default:predict", {"instances": [2]}, timeout=30)
    assert answer.json() == {"predictions": [3.0]}
    assert rows_computed(waiting) == 1
    assert '"http.response.status_code":499' in waiting.output()
    assert "Traceback" not in waiting.output()


def test_grpc(waiting: Running) -> None:
    request = predict_request("default", {"x": np.ones(4, np.float32)})
    with grpc.insecure_channel(waiting.address) as channel:
        call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
        future = call.future(request.SerializeToString(), timeout=30)
        with pytest.raises(grpc.FutureTimeoutError):
            future.result(timeout=0.3)
        future.cancel()
        answer = waiting.post("/v1/models/default:predict", {"instances": [2]}, timeout=30)
        assert answer.json() == {"predictions": [3.0]}
    assert rows_computed(waiting) == 1
    assert "Traceback" not in waiting.output()


def test_a_grpc_deadline(waiting: Running) -> None:
    request = predict_request("default", {"x": np.ones(4, np.float32)})
    with grpc.insecure_channel(waiting.address) as channel:
        call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
        with pytest.raises(grpc.RpcError) as caught:
            call(request.SerializeToString(), timeout=0.3)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        answer = waiting.post("/v1/models/default:predict", {"instances": [2]}, timeout=30)
        assert answer.json() == {"predictions": [3.0]}
    assert rows_computed(waiting) == 1
    assert "Traceback" not in waiting.output()
