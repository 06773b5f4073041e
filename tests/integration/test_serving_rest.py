"""The REST API as TensorFlow Serving answers, row by row of docs/serving.md."""

import base64
import gzip
import json
import math
from typing import Any

import httpx
import pytest

from tests.serving.process import Running
from tests.serving.server_fixtures import server

pytestmark = pytest.mark.server

__all__ = ["server"]

M = "/v1/models/half%20plus"


def ok(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    return json.loads(response.content)


def refused(response: httpx.Response, status: int, text: str) -> None:
    assert response.status_code == status, response.text
    body = response.json()
    assert set(body) == {"error"}
    assert text in body["error"]


def test_rows_and_columns(server: Running) -> None:
    assert ok(server.post(f"{M}:predict", {"instances": [1, 2.0, 5]})) == {"predictions": [3.5, 4.0, 5.5]}
    assert ok(server.post(f"{M}:predict", {"inputs": [1.0]})) == {"outputs": [3.5]}
    assert ok(server.post(f"{M}:predict", {"inputs": {"x": [1.0], "more": 1}})) == {"outputs": [3.5]}
    assert ok(server.post(f"{M}:predict", {"instances": [{"x": 1.0}]})) == {"predictions": [3.5]}


def test_versions_and_labels(server: Running) -> None:
    body = {"instances": [0]}
    assert ok(server.post(f"{M}/versions/1:predict", body)) == {"predictions": [2.0]}
    assert ok(server.post(f"{M}/versions/0002:predict", body)) == {"predictions": [3.0]}
    assert ok(server.post(f"{M}/labels/stable:predict", body)) == {"predictions": [2.0]}
    assert ok(server.post(f"{M}/labels/can%61ry:PREDICT", body)) == {"predictions": [3.0]}
    refused(
        server.post(f"{M}/versions/9:predict", body),
        404,
        "Servable not found for request: Specific(half plus, 9)",
    )
    refused(server.post(f"{M}/labels/x:predict", body), 400, "Unrecognized servable version label: x")
    refused(server.post("/v1/models/none:predict", body), 404, "Servable not found for request: Latest(none)")
    refused(server.post(f"{M}/versions/99999999999999999999:predict", body), 400, "Failed to convert version")


def test_many_types(server: Running) -> None:
    inputs = {"f": [[1.5, 2]], "i": [2**53 + 1], "s": ["é"], "t": [True]}
    answer = ok(server.post(f"{M}:predict", {"signature_name": "types", "inputs": inputs}))["outputs"]
    encoded = {"b64": base64.b64encode("é".encode()).decode()}
    assert answer == {
        "f": [[3.0, 4.0]],
        "i": [2**53 + 2],
        "s": ["é"],
        "t": [False],
        "s_bytes": [encoded],
        "n": 1,
    }
    rows = {"signature_name": "types", "instances": [{"f": [1], "i": 1, "s": encoded, "t": False}] * 2}
    refused(server.post(f"{M}:predict", rows), 400, "Tensor name: n has no shape information")


def test_scalars(server: Running) -> None:
    inputs = {"f": [], "i": 1, "s": "one", "t": []}
    answer = ok(server.post(f"{M}:predict", {"signature_name": "types", "inputs": inputs}))["outputs"]
    assert (answer["s"], answer["i"], answer["t"]) == ("one", 2, [])


def test_not_a_number(server: Running) -> None:
    body = b'{"instances": [NaN, Infinity, -Infinity]} trailing'
    response = server.post(f"{M}:predict", body)
    assert b"NaN" in response.content
    values = ok(response)["predictions"]
    assert math.isnan(values[0])
    assert values[1:] == [math.inf, -math.inf]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "JSON Parse error: The document is empty"),
        (b"{", "JSON Parse error"),
        (b"[1]", "Is not object"),
        (b"{}", "Missing 'inputs' or 'instances' key"),
        (b'{"instances": 1}', "Expecting 'instances' to be an list/array"),
        (b'{"instances": []}', "No values in 'instances' array"),
        (b'{"instances": [1], "inputs": [1]}', "expecting only one of 'inputs' or 'instances' keys"),
        (b'{"instances": [1], "signature_name": 1}', "'signature_name' key must be a string value"),
        (b'{"instances": [1], "signature_name": "z"}', 'Serving signature name: "z" not found'),
        (b'{"instances": ["a"]}', 'JSON Value: "a" Type: String is not of expected type: float'),
        (b'{"instances": [true]}', "JSON Value: true Type: True is not of expected type: float"),
        (b'{"instances": [1, [2]]}', "Expecting shape [] but got: [1]"),
        (b'{"instances": [[1, 2], [3]]}', "Expecting tensor size: 2 but got: 1"),
        (b'{"instances": [1, {"x": 1}]}', "Expecting value/list but got object at item 1"),
        (b'{"instances": [{"x": 1}, 1]}', "Expecting object but got list at item 1"),
        (b'{"instances": [{"y": 1}]}', "does not have named input: y"),
        (b'{"inputs": {"y": [1]}}', "Missing named input: x in 'inputs' object"),
        (b'{"inputs": [[1], 2]}', "found at incorrect level: 2 in the JSON DOM. Expected at level: 2"),
        (b'{"inputs": [1, [2]]}', "Encountered list at unexpected level: 1 expected < 1"),
        (b'{"inputs": [[1, 2], [3]]}', "Encountered list at unexpected size: 1 at level: 1 expected size: 2"),
        (b'{"signature_name":"types","inputs":{"f":[[1]],"i":[1.0],"s":["a"],"t":[true]}}', "type: int64"),
        (b'{"signature_name":"types","inputs":{"f":[[1]],"i":[1],"s":[1],"t":[true]}}', "type: string"),
        (b'{"signature_name":"types","inputs":{"f":[[1]],"i":[1],"s":[{"b64":"%"}],"t":[true]}}', "base64"),
        (b'{"signature_name":"types","inputs":{"f":[[1]],"i":[1],"s":["a"],"t":[1]}}', "type: bool"),
        (b'{"signature_name":"types","instances":[1]}', "instances is a plain list"),
        (b"[" * 100_000, "JSON Parse error"),
    ],
)
def test_bad_predict(server: Running, body: bytes, text: str) -> None:
    refused(server.post(f"{M}:predict", body), 400, text)


def test_a_long_value_is_cut_in_the_message(server: Running) -> None:
    response = server.post(f"{M}:predict", {"instances": ["a" * 5000]})
    refused(response, 400, "is not of expected type: float")
    assert len(response.json()["error"]) < 500


def test_classify_and_regress(server: Running) -> None:
    examples = [{"x": 2.0}, {"x": [0.0]}, {}]
    answer = ok(server.post(f"{M}:classify", {"signature_name": "classify", "examples": examples}))
    assert answer == {"results": [[["high", 4.0]], [["low", 3.0]], [["low", 3.0]]]}
    answer = ok(server.post(f"{M}:regress", {"signature_name": "regress", "examples": examples}))
    assert answer == {"results": [4.0, 3.0, 3.0]}
    shared = {"signature_name": "regress", "context": {"x": 4.0}, "examples": [{}, {"x": 2.0}]}
    assert ok(server.post(f"{M}:regress", shared)) == {"results": [5.0, 4.0]}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "'examples' is expected and was not found"),
        ({"examples": 1}, "Expecting 'examples' value to be an list/array"),
        ({"examples": []}, "'examples' value is an empty array"),
        ({"examples": [1]}, "Example must be JSON object but got JSON Number"),
        ({"examples": [{"x": [1.5, "a"]}]}, "Unexpected element type in feature: x expecting type: float"),
        ({"examples": [{"x": None}]}, "unexpected JSON type: Null"),
        ({"examples": [{"x": [[1]]}]}, "unexpected JSON type: Array"),
        ({"examples": [{"x": 2**63}]}, "Only int64_t is supported"),
        ({"examples": [{"x": 1.0}], "signature_name": "z"}, "No signature was found with the name: z"),
        ({"examples": [{"x": 1.0}]}, "No classification inputs found"),
        ({"examples": [{"x": 1.0}], "signature_name": "regress"}, 'at least one of "classes" or "scores"'),
        ({"examples": [{"x": "text"}], "signature_name": "classify"}, ""),
    ],
)
def test_bad_classify(server: Running, body: dict[str, Any], text: str) -> None:
    refused(server.post(f"{M}:classify", body), 400, text)


def test_status(server: Running) -> None:
    fine = {"error_code": "OK", "error_message": ""}
    both = [{"version": version, "state": "AVAILABLE", "status": fine} for version in ("2", "1")]
    assert ok(server.get(M)) == {"model_version_status": both}
    assert ok(server.get(f"{M}/versions/1")) == {"model_version_status": both[1:]}
    assert ok(server.get(f"{M}/labels/stable")) == {"model_version_status": both}
    broken = ok(server.get("/v1/models/broken"))["model_version_status"][0]
    assert broken["state"] == "END"
    assert broken["status"]["error_code"] == "NOT_FOUND"
    assert "Could not find SavedModel" in broken["status"]["error_message"]
    refused(server.get("/v1/models/none"), 404, "Could not find any versions of model none")
    refused(server.get(f"{M}/versions/9"), 404, "Could not find version 9 of model half plus")
    everything = {one["name"]: one["model_version_status"] for one in ok(server.get("/v1/models"))["models"]}
    assert everything["half plus"] == both
    assert everything["broken"][0]["state"] == "END"
    assert ok(server.get("/"))["models"] == "/v1/models"


def test_metadata(server: Running) -> None:
    answer = ok(server.get(f"{M}/versions/1/metadata"))
    assert answer["model_spec"] == {"name": "half plus", "signature_name": "", "version": "1"}
    signature = answer["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["method_name"] == "tensorflow/serving/predict"
    assert signature["inputs"]["x"]["dtype"] == "DT_FLOAT"
    assert signature["inputs"]["x"]["tensor_shape"] == {
        "dim": [{"size": "-1", "name": ""}],
        "unknown_rank": False,
    }


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/", 400),
        ("GET", f"{M}:predict", 400),
        ("POST", M, 400),
        ("PUT", f"{M}:predict", 400),
        ("POST", f"{M}:train", 400),
        ("POST", f"{M}/versions/x:predict", 400),
        ("POST", "/", 404),
        ("GET", "/v2/models/m", 404),
    ],
)
def test_other_paths(server: Running, method: str, path: str, status: int) -> None:
    response = httpx.request(method, server.url + path, content=b"{}" if method != "GET" else None)
    assert response.status_code == status
    if status == 400:
        assert response.json()["error"] == f"Malformed request: {method} {path}"
    else:
        assert response.content == b""


def test_cors(server: Running) -> None:
    response = httpx.options(f"{server.url}{M}:predict", headers={"Origin": "http://elsewhere"})
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.headers["access-control-allow-methods"] == "POST, GET"
    refused(httpx.options(f"{server.url}{M}:predict"), 400, "Origin header is missing in CORS preflight")
    assert server.get(M).headers["access-control-allow-headers"] == "Content-Type"


def test_compressed_bodies(server: Running) -> None:
    body = gzip.compress(b'{"instances": [1]}')
    headers = {"Content-Encoding": "gzip"}
    assert ok(server.post(f"{M}:predict", body, headers=headers)) == {"predictions": [3.5]}
    refused(server.post(f"{M}:predict", body[:-4], headers=headers), 400, "not valid gzip")
    refused(server.post(f"{M}:predict", body, headers={"Content-Encoding": "br"}), 400, "use gzip")


def test_metrics(server: Running) -> None:
    server.post(f"{M}:predict", {"instances": [1]})
    server.post(f"{M}:predict", b"{}")
    page = server.get("/monitoring/prometheus/metrics").text
    assert "# TYPE :tensorflow:serving:request_count counter" in page
    assert ':tensorflow:serving:request_count{model_name="half plus",status="OK"}' in page
    assert ':tensorflow:serving:request_count{model_name="half plus",status="INVALID_ARGUMENT"}' in page
    # Clients cannot make labels: what is not served is one.
    for name in ("none", "other", "third"):
        server.post(f"/v1/models/{name}:predict", {"instances": [1]})
    page = server.get("/monitoring/prometheus/metrics").text
    assert page.count('request_count{model_name="(not served)",status="NOT_FOUND"}') == 1
    assert "third" not in page
    labels = 'model_name="half plus",API="predict",entrypoint="REST"'
    assert f':tensorflow:serving:request_latency_bucket{{{labels},le="10"}}' in page
    assert (
        ':tensorflow:serving:runtime_latency_count{model_name="half plus",API="Predict",runtime="TF1"}'
        in page
    )
    assert ":tensorflow:cc:saved_model:load_attempt_count" in page


def test_health_tells_that_a_model_is_missing(server: Running) -> None:
    assert server.get("/healthz/live").status_code == 200
    response = server.get("/healthz/ready")
    assert response.status_code == 503
    assert response.json() == {"status": "waiting", "models_without_version": ["broken"]}
