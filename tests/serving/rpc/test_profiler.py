"""TensorFlow's profiler through the server's own port, asked by TensorFlow's own client."""

import threading
import time
from pathlib import Path

import grpc
import pytest

from serving.rpc import profiler
from serving.rpc.profiler import SERVICE
from tests.serving.process import start
from tests.serving.tf_models import write_half_plus

pytestmark = pytest.mark.server


def _profile(address: str, token: str = "") -> grpc.StatusCode:
    """Call Profile with an empty request, and return the status."""
    with grpc.insecure_channel(address) as channel:
        metadata = (("authorization", f"Bearer {token}"),) if token else ()
        try:
            channel.unary_unary(f"/{SERVICE}/Profile")(b"", timeout=30, metadata=metadata)
        except grpc.RpcError as error:
            status: grpc.StatusCode = error.code()
            return status
    return grpc.StatusCode.OK


def test_a_trace_is_taken_while_the_server_answers(tmp_path: Path) -> None:
    from tensorflow.python.profiler import profiler_client

    write_half_plus(tmp_path / "half" / "1", 2.0)
    with start("--model_name=half", f"--model_base_path={tmp_path / 'half'}") as server:
        stop = threading.Event()

        def ask() -> None:
            while not stop.is_set():
                server.post("/v1/models/half:predict", {"instances": [1.0]})

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            profiler_client.trace(server.address, str(tmp_path / "logs"), 300, "", 3)
        finally:
            stop.set()
            asking.join()
    assert list((tmp_path / "logs").rglob("*.xplane.pb"))


def test_even_what_is_computed_right_after_the_call_is_in_the_trace(tmp_path: Path) -> None:
    """TensorFlow Serving's own test asks once, a moment after its only request to the profiler."""
    write_half_plus(tmp_path / "half" / "1", 2.0)
    request = _request(duration_ms=1000, repository_root=str(tmp_path), session_id="s", host_name="h:1")
    with (
        start("--model_name=half", f"--model_base_path={tmp_path / 'half'}") as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        server.wait("half")
        profile = channel.unary_unary(f"/{SERVICE}/Profile")
        call = profile.future(request, timeout=30)
        time.sleep(0.1)
        server.post("/v1/models/half:predict", {"instances": [1.0]})
        with pytest.raises(grpc.RpcError, match="another profiler session is running"):
            profile(request, timeout=30)
        assert call.result() == b"", "not empty_trace"
        space = profiler._classes["XSpace"].FromString((tmp_path / "s" / "h_1.xplane.pb").read_bytes())
        assert any(line.events for plane in space.planes for line in plane.lines)

        waiting = profile.future(_request(duration_ms=60_000, session_id="t"), timeout=90)
        time.sleep(0.2)
        channel.unary_unary(f"/{SERVICE}/Terminate")(_request(kind="TerminateRequest", session_id="t"))
        waiting.result(timeout=10)

        left = profile.future(_request(duration_ms=60_000), timeout=90)
        time.sleep(0.2)
        left.cancel()
        time.sleep(0.2)
        profile(_request(duration_ms=1), timeout=30)
        with pytest.raises(grpc.RpcError, match="session_id must be a name, not a path"):
            profile(_request(session_id="../up"), timeout=30)


def _request(kind: str = "ProfileRequest", **fields: object) -> bytes:
    message = profiler._classes[kind](**fields)
    return bytes(message.SerializeToString())


@pytest.mark.parametrize(("token", "status"), [("", "UNAUTHENTICATED"), ("wrong", "UNAUTHENTICATED")])
def test_it_asks_for_the_token_too(tmp_path: Path, token: str, status: str) -> None:
    write_half_plus(tmp_path / "half" / "1", 2.0)
    (tmp_path / "tokens").write_text("secret\n")
    flags = (
        "--model_name=half",
        f"--model_base_path={tmp_path / 'half'}",
        f"--auth_token_file={tmp_path / 'tokens'}",
    )
    with start(*flags) as server:
        assert _profile(server.address, token) is grpc.StatusCode[status]


def test_it_can_be_switched_off(tmp_path: Path) -> None:
    write_half_plus(tmp_path / "half" / "1", 2.0)
    with start(
        "--model_name=half", f"--model_base_path={tmp_path / 'half'}", "--enable_profiler=false"
    ) as server:
        assert _profile(server.address) is grpc.StatusCode.UNIMPLEMENTED
