"""TLS, tokens, logs, limits and the client, on servers of their own."""

import contextlib
import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import grpc
import httpx
import numpy as np
import pytest

from serving.client import Client, PredictError
from serving.errors import Code
from serving.messages.protos import prediction_log_pb2
from serving.messages.tensors import to_array
from serving.messages.text_config import ServerConfigError
from serving.messages.tfrecord import RecordError, frame, read_records
from serving.messages.warmup_file import predict_request, write_requests
from serving.ops.auth import Tokens
from serving.ops.tls import read_tls
from serving.predict import main as predict_main
from serving.release.record import WARMUP_FILE
from tests.serving.process import Running, start
from tests.serving.tf_models import write_half_plus

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("operations")
    write_half_plus(folder / "model" / "1", 2.0)
    write_requests(
        folder / "model" / "1" / WARMUP_FILE, [predict_request("m", {"x": np.zeros(2, np.float32)})]
    )
    return folder


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, a server's and a client's certificate, and the SSLConfig."""
    folder = tmp_path_factory.mktemp("keys")
    openssl(
        folder,
        *[
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            "ca.key",
            "-out",
            "ca.crt",
            "-subj",
            "/CN=ca",
            "-days",
            "2",
        ],
    )
    for name in ("server", "client"):
        request = f"req -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}"
        openssl(folder, *request.split())
        (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
        signed = f"x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out {name}.crt -days 2"
        openssl(folder, *signed.split(), "-extfile", "names")
    fields = {"server_key": "server.key", "server_cert": "server.crt", "custom_ca": "ca.crt"}
    lines = [f"{field}: {json.dumps((folder / name).read_text())}" for field, name in fields.items()]
    (folder / "ssl.config").write_text("\n".join([*lines, "client_verify: true"]))
    return folder


def test_mutual_tls_tokens_and_limits(base: Path, keys: Path, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("# who may\nsecret-one\n\nsecret-two\n")
    flags = (
        f"--ssl_config_file={keys / 'ssl.config'}",
        "--rest_api_enable_ssl",
        f"--auth_token_file={tokens}",
        "--max_request_bytes=2000",
        "--max_batch_rows=3",
        "--access_log=json",
        "--enable_batching",
    )
    ca, cert = str(keys / "ca.crt"), (str(keys / "client.crt"), str(keys / "client.key"))
    with start(f"--model_base_path={base / 'model'}", *flags) as server:
        rest, rpc = f"https://localhost:{server.rest_port}", f"grpcs://localhost:{server.grpc_port}"
        for url in (rest, rpc):
            with Client(url, "default", token="secret-two", ca=ca, cert=cert) as client:
                assert client.predict([2.0])["y"].tolist() == [3.0]
                with pytest.raises(PredictError, match="takes at most 3"):
                    client.predict([1.0] * 4)
                with pytest.raises(PredictError) as caught:
                    client.predict([1.0] * 2000)
                assert caught.value.code is Code.RESOURCE_EXHAUSTED
            with (
                Client(url, "default", token="wrong", ca=ca, cert=cert) as client,
                pytest.raises(PredictError, match="valid token") as caught,
            ):
                client.predict([2.0])
            assert caught.value.code is Code.UNAUTHENTICATED
            with (
                Client(url, "default", token="secret-two", ca=ca, retries=0) as client,
                pytest.raises(PredictError),
            ):
                client.predict([2.0])
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"http://localhost:{server.rest_port}/healthz/live")
        tokens.write_text("secret-three\n")
        with Client(rest, "default", token="secret-three", ca=ca, cert=cert) as client:
            assert client.status() == {1: "AVAILABLE"}
        lines = [json.loads(line) for line in server.output().splitlines() if line.startswith("{")]
    fine = [
        line for line in lines if line["event.outcome"] == "success" and "predict" in line["url.path"].lower()
    ]
    assert {line["network.protocol"] for line in fine} == {"http", "grpc"}
    assert all(line["labels.model"] == "default" and line["labels.model_version"] == "1" for line in fine)
    assert any(line.get("http.response.status_code") == 401 for line in lines)
    assert any(line.get("grpc.status_code") == "UNAUTHENTICATED" for line in lines)


def test_what_does_not_fit_the_bytes_in_flight(base: Path) -> None:
    path = "/v1/models/default:predict"
    with start(f"--model_base_path={base / 'model'}", "--max_inflight_bytes=20000") as server:
        refused = server.post(path, b'{"instances": [' + b"1," * 8000 + b"1]}")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert "--max_inflight_bytes" in refused.json()["error"]
        with Client(f"grpc://localhost:{server.grpc_port}", "default", retries=0) as client:
            with pytest.raises(PredictError, match="max_inflight_bytes") as caught:
                client.predict([1.0] * 3000)
            assert caught.value.code is Code.RESOURCE_EXHAUSTED
            with contextlib.ExitStack() as stack:  # what one port holds is missing at the other
                for _ in range(2):
                    slow = socket.create_connection(("127.0.0.1", server.rest_port))
                    stack.enter_context(slow)
                    slow.sendall(
                        f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 9950\r\n\r\n".encode()
                        + b" " * 9900
                    )
                time.sleep(0.5)
                with pytest.raises(PredictError, match="max_inflight_bytes"):
                    client.predict([1.0] * 100)
                assert server.get("/healthz/live").status_code == 200
            time.sleep(0.5)
            assert client.predict([1.0] * 100)["y"].tolist() == [2.5] * 100
        assert "refusing a request of" in server.output()


def test_ssl_files_that_cannot_be(keys: Path, tmp_path: Path) -> None:
    path = tmp_path / "ssl.config"
    for text, said in (
        ("", "server_key is empty"),
        ('server_key: "x" server_cert: "y" client_verify: true', "client_verify needs custom_ca"),
        ('server_key: "x" server_cert: "y"', "are invalid"),
    ):
        path.write_text(text)
        with pytest.raises(ServerConfigError, match=said):
            read_tls(str(path))


def test_token_files_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(ServerConfigError, match="cannot read --auth_token_file"):
        Tokens(tmp_path / "none")
    (tmp_path / "empty").write_text("# nothing\n")
    with pytest.raises(ServerConfigError, match="holds no token"):
        Tokens(tmp_path / "empty")


LOGGED = """
model_config_list {{
  config {{
    name: "default" base_path: "{base}/model" model_platform: "tensorflow"
    logging_config {{
      log_collector_config {{ type: "file" filename_prefix: "{log}/calls" }}
      sampling_config {{ sampling_rate: 1 }}
    }}
  }}
}}
"""


def test_the_request_log(base: Path, tmp_path: Path) -> None:
    config = tmp_path / "models.config"
    config.write_text(LOGGED.format(base=base, log=tmp_path / "log"))
    with start(f"--model_config_file={config}") as server:
        for url in (server.url, f"grpc://{server.address}"):
            with Client(url, "default") as client:
                client.predict([1.0, 2.0])
        body = {"signature_name": "classify", "examples": [{"x": 2.0}]}
        assert server.post("/v1/models/default:classify", body).status_code == 200
        assert "warm-up requests replayed" in server.output()
    entries = [
        prediction_log_pb2.PredictionLog.FromString(data)
        for path in (tmp_path / "log").glob("calls-*.tfrecord")
        for data in read_records(path)
    ]
    kinds = [entry.WhichOneof("log_type") for entry in entries]
    assert sorted(kinds) == ["classify_log", "predict_log", "predict_log"]
    logged = next(entry.predict_log for entry in entries if entry.HasField("predict_log"))
    assert to_array(logged.request.inputs["x"], "x").tolist() == [1.0, 2.0]
    assert to_array(logged.response.outputs["y"], "y").tolist() == [2.5, 3.0]
    assert logged.response.model_spec.version.value == 1
    assert entries[0].log_metadata.sampling_config.sampling_rate == 1


@pytest.fixture(scope="module")
def plain(base: Path) -> "object":
    with start(f"--model_base_path={base / 'model'}") as server:
        yield server


@pytest.mark.parametrize("way", ["rest", "grpc"])
def test_the_client(plain: Running, way: str) -> None:
    url = plain.url if way == "rest" else f"grpc://{plain.address}"
    with Client(url, "default") as client:
        assert client.predict({"x": [1, 2]})["y"].tolist() == [2.5, 3.0]
        assert np.isnan(client.predict([float("nan")])["y"]).all()
        assert client.status() == {1: "AVAILABLE"}
        with pytest.raises(ValueError, match=r"no input \['z'\]"):
            client.predict({"z": [1]})
    with Client(url, "default", signature_name="types", version=1) as client:
        outputs = client.predict({"f": [[1]], "i": [1], "s": ["é"], "t": [True]})
        assert outputs["s"].tolist() == ["é".encode()]
        assert outputs["s_bytes"].tolist() == ["é".encode()]
        assert (outputs["i"].dtype, outputs["t"].tolist()) == (np.int64, [False])
        with pytest.raises(ValueError, match="pass them by name"):
            client.predict([1.0])
    for options, code in (
        ({"version": 9}, Code.NOT_FOUND),
        ({"signature_name": "z"}, Code.FAILED_PRECONDITION),
    ):
        with Client(url, "default", **options) as client, pytest.raises(PredictError) as caught:
            client.predict([1.0])
        assert caught.value.code is code


def test_a_server_that_is_not_there() -> None:
    for url in ("http://127.0.0.1:9", "grpc://127.0.0.1:9"):
        with (
            Client(url, "m", retries=1, timeout=3) as client,
            pytest.raises(PredictError, match="cannot reach"),
        ):
            client.predict([1.0])
    with pytest.raises(ValueError, match="use http://"):
        Client("localhost:8501", "m")


def test_the_command_line(plain: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "rows.csv"
    table.write_text("x,other\n1,a\n2,b\n4,c\n")
    common = ["--url", plain.url, "--model", "default"]
    assert predict_main([*common, str(table), "--format", "jsonl", "--batch_size", "2"]) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {"y": 2.5},
        {"y": 3.0},
        {"y": 4.0},
    ]
    out = tmp_path / "out.csv"
    assert predict_main([*common, "--data", "6", "--format", "csv", "--output", str(out)]) == 0
    assert out.read_text().split() == ["y", "5"]
    lines = tmp_path / "rows.jsonl"
    lines.write_text('1\n{"x": 2}\n')
    assert predict_main(["--url", f"grpc://{plain.address}", str(lines)]) == 0
    assert capsys.readouterr().out.split() == ["y", "2.5", "3"]
    records = tmp_path / "rows.tfrecord"
    records.write_bytes(frame(b""))
    assert predict_main([*common, "--signature", "regress", str(records), "--format", "jsonl"]) == 0
    assert json.loads(capsys.readouterr().out) == {"outputs": [2.0]}
    for arguments, said in (
        ([str(tmp_path / "none.csv")], "no such file"),
        ([], "nothing to predict on"),
        ([str(records)], "not bytes"),
        (["--data", '{"z": 1}'], "no input"),
    ):
        assert predict_main([*common, *arguments]) == 1
        assert said in capsys.readouterr().err


def test_records_that_are_damaged(tmp_path: Path) -> None:
    path = tmp_path / "records"
    data = frame(b"one") + frame(b"two")
    path.write_bytes(data)
    assert list(read_records(path)) == [b"one", b"two"]
    for cut, said in ((len(data) - 1, "record 1: the file ends"), (20, "record 1: its length")):
        path.write_bytes(data[:cut])
        with pytest.raises(RecordError, match=said):
            list(read_records(path))
    path.write_bytes(data[:13] + b"X" + data[14:])
    with pytest.raises(RecordError, match="record 0: its checksum"):
        list(read_records(path))


def test_too_many_warm_up_requests(tmp_path: Path) -> None:
    write_half_plus(tmp_path / "1")
    request = predict_request("m", {"x": np.zeros(1, np.float32)})
    write_requests(tmp_path / "1" / WARMUP_FILE, [request] * 1001)
    with start(f"--model_base_path={tmp_path}", "--max_num_load_retries=0", ready=False) as server:
        assert server.process.wait(60) == 255
        assert "exceeds the maximum (1000)" in server.output()


def test_help_answers_without_tensorflow() -> None:
    code = (
        "import sys; from serving.serve import main; main(['--version']); print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("False\n")


def test_grpc_is_not_open_before_the_models_are(tmp_path: Path) -> None:
    with start(f"--model_base_path={tmp_path / 'later'}", ready=False) as server:
        server.wait("cannot list versions")
        with grpc.insecure_channel(server.address) as channel:
            call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
            with pytest.raises(grpc.RpcError) as caught:
                call(b"", timeout=2)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        write_half_plus(tmp_path / "aside")
        (tmp_path / "later").mkdir()
        (tmp_path / "aside").rename(tmp_path / "later" / "1")
        server.wait("server is ready")
