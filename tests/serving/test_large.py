"""Large requests, which are read in a process of its own, are answered and refused as small ones are."""

import gzip
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import numpy as np
import pytest

from serving.messages.protos import classification_pb2, predict_pb2
from serving.messages.tensors import to_array
from tests.serving.process import Running
from tests.serving.server_fixtures import server

__all__ = ["server"]

ROWS = 150_000
PREDICT = "/v1/models/half%20plus/versions/1:predict"
CLASSIFY = PREDICT.replace("predict", "classify")


def numbers(count: int = ROWS) -> list[float]:
    return [n / 4 for n in range(count)]


@pytest.fixture(scope="module")
def predict(server: Running) -> Iterator[Any]:
    with grpc.insecure_channel(server.address, [("grpc.max_receive_message_length", -1)]) as channel:
        yield channel.unary_unary("/tensorflow.serving.PredictionService/Predict")


def ask(server: Running, body: bytes, path: str = PREDICT, **headers: str) -> httpx.Response:
    return httpx.post(server.url + path, content=body, headers=headers, timeout=60)


def test_json_of_every_form_is_answered(server: Running) -> None:
    sent = numbers()
    want = [x / 2 + 2 for x in sent]
    lists = json.dumps({"instances": sent}).encode()
    assert len(lists) > 1 << 20
    for _ in range(2):  # the second time the list is known
        assert ask(server, lists).json() == {"predictions": want}
    assert ask(server, json.dumps({"inputs": sent}).encode()).json() == {"outputs": want}
    assert ask(server, json.dumps({"instances": [{"x": x} for x in sent]}).encode()).json() == {
        "predictions": want
    }
    packed = ask(server, gzip.compress(lists), **{"content-encoding": "gzip"})
    assert packed.json() == {"predictions": want}


def test_numbers_that_are_none_come_back(server: Running) -> None:
    body = b'{"instances":[' + b"1.0," * ROWS + b"NaN,-Inf]}"
    answer = ask(server, body).content
    assert answer.startswith(b'{"predictions":[2.5,2.5,')
    assert answer.endswith(b",NaN,-Infinity]}")


@pytest.mark.parametrize("last", ['"a"', "[1]", "true", "null", "{}"])
def test_a_wrong_value_is_named_however_far_back_it_is(server: Running, last: str) -> None:
    def told(count: int) -> str:
        answer = ask(server, b'{"instances":[' + b"1.25," * count + last.encode() + b"]}")
        assert answer.status_code == 400, answer.text
        error: str = answer.json()["error"]
        return error.replace(str(count), "COUNT")

    assert told(ROWS) == told(3)


def test_what_cannot_be_read_at_all_is_refused(server: Running) -> None:
    broken = ask(server, b'{"instances":[' + b"1.25," * ROWS + b"]}")
    assert broken.status_code == 400
    assert broken.json()["error"].startswith("JSON Parse error")
    bomb = gzip.compress(b" " * (150 << 20), 1)
    answer = ask(server, bomb, **{"content-encoding": "gzip"})
    assert answer.status_code == 429
    assert "larger than the 104857600 bytes" in answer.json()["error"]
    no_gzip = ask(server, bytes(ROWS * 4), **{"content-encoding": "gzip"})
    assert no_gzip.status_code == 400
    assert "not valid gzip" in no_gzip.json()["error"]


def test_many_examples_are_classified(server: Running) -> None:
    sent = numbers(20_000)
    body = json.dumps({"signature_name": "classify", "examples": [{"x": x} for x in sent]}).encode()
    assert len(body) > 1 << 18
    results = ask(server, body, CLASSIFY).json()["results"]
    assert [row[0][1] for row in results] == [x / 2 + 2 for x in sent]

    request = classification_pb2.ClassificationRequest()
    request.model_spec.name = "half plus"
    request.model_spec.version.value = 1
    request.model_spec.signature_name = "classify"
    for x in sent * 4:
        request.input.example_list.examples.add().features.feature["x"].float_list.value.append(x)
    data = request.SerializeToString()
    assert len(data) > 1 << 20
    with grpc.insecure_channel(server.address, [("grpc.max_receive_message_length", -1)]) as channel:
        answer = channel.unary_unary("/tensorflow.serving.PredictionService/Classify")(data, timeout=60)
    rows = classification_pb2.ClassificationResponse.FromString(answer).result.classifications
    assert [row.classes[0].score for row in rows] == [x / 2 + 2 for x in sent * 4]


def request_of(values: Any, alias: str = "x", signature: str = "") -> Any:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "half plus"
    request.model_spec.version.value = 1
    request.model_spec.signature_name = signature
    request.inputs[alias].dtype = 1
    request.inputs[alias].tensor_shape.dim.add().size = len(values)
    request.inputs[alias].float_val.extend(values)
    return request


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_grpc_messages_are_answered(predict: Any, compression: grpc.Compression) -> None:
    sent = numbers(2 * ROWS)
    data = request_of(sent).SerializeToString()
    assert len(data) > 1 << 20
    answer = predict_pb2.PredictResponse.FromString(predict(data, timeout=60, compression=compression))
    assert answer.model_spec.version.value == 1
    assert np.array_equal(to_array(answer.outputs["y"], "y"), np.array(sent, np.float32) / 2 + 2)


def test_grpc_messages_are_refused_as_small_ones_are(predict: Any) -> None:
    def told(request: Any) -> tuple[Any, str]:
        with pytest.raises(grpc.RpcError) as error:
            predict(request.SerializeToString(), timeout=60)
        return error.value.code(), error.value.details()

    for alias, signature in (("z", ""), ("x", "none")):
        small, large = (told(request_of(numbers(n), alias, signature)) for n in (3, 2 * ROWS))
        assert small == large
    wrong = request_of(numbers(2 * ROWS))
    wrong.inputs["x"].tensor_shape.dim[0].size = 1 << 40
    assert told(wrong)[0] is grpc.StatusCode.INVALID_ARGUMENT
    with pytest.raises(grpc.RpcError) as error:
        predict(b"\xff" * (2 << 20), timeout=60)
    assert error.value.details().startswith("the request is not a valid tensorflow.serving.PredictRequest")


def test_others_are_answered_meanwhile(server: Running) -> None:
    worst = 0.0
    bad = b'{"instances":[' + b"1.25," * 2_000_000 + b'"a"]}'
    sender = threading.Thread(target=lambda: ask(server, bad))
    sender.start()
    with httpx.Client(base_url=server.url) as client:
        while sender.is_alive():
            started = time.monotonic()
            assert client.get("/healthz/live").status_code == 200
            worst = max(worst, time.monotonic() - started)
            time.sleep(0.005)
    sender.join()
    assert worst < 1, "10 MB with the last value wrong took 17 s, for everybody"
