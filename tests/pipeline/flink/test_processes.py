"""`slipway flink up`, `status` and `down`, with a stand-in for Java that only listens."""

import json
import os
import signal
import socket
import sys
from pathlib import Path

import pytest
import yaml

from pipeline.flink import class_path
from pipeline.flink.class_path import FlinkError
from pipeline.flink.config import Settings
from pipeline.flink.processes import down, read, up
from serving.client.local import free_ports
from tests.conftest import Done, Workspace

JAVA = f"""#!{sys.executable}
import http.server, json, os, pathlib, re, sys
line = " ".join(sys.argv)
conf = pathlib.Path(re.search(r"--(?:configDir|flink-conf-dir)[= ](\\S+)", line)[1])
if (conf / "broken").exists():
    sys.exit("Could not reserve enough space for object heap")
class Overview(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
        self.wfile.write(json.dumps({{"taskmanagers": int((conf / "joined").exists())}}).encode())
    def log_message(self, *_): pass
port = 0
if "JobManager" in line or "StandaloneSessionClusterEntrypoint" in line:
    port = int(re.search(r"rest.port: (\\d+)", (conf / "flink-conf.yaml").read_text())[1])
elif "TaskManagerRunner" in line:
    (conf / "joined").touch()
else:
    port = int(re.search(r"--job-port=(\\d+)", line)[1])
http.server.ThreadingHTTPServer(("127.0.0.1", port), Overview).serve_forever()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where `up` keeps its files; the stand-in is java, and the jars are there."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").write_text(JAVA)
    (tmp_path / "bin" / "java").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    class_path._folder().mkdir(parents=True)
    return tmp_path / ".flink"


def _settings(standalone: bool = False) -> Settings:
    job_port, rest_port, rpc_port = free_ports(3)
    return Settings(standalone, job_port, rest_port, rpc_port)


def _status(folder: Path) -> Done:
    return Workspace(folder.parent).slipway("flink", "status", "--folder", str(folder))


def test_the_embedded_one_is_a_process_that_status_finds_and_down_ends(folder: Path) -> None:
    settings = _settings()
    running = up(settings, folder)
    assert [one.name for one in running.processes] == ["job server"]
    shown = _status(folder)
    assert shown.code == 0, shown.output
    assert f"--set beam.options.flink.job_endpoint=localhost:{settings.job_port}" in shown.output
    with pytest.raises(FlinkError, match="Flink is running already; slipway flink status shows it"):
        up(settings, folder)
    assert down(folder) == ["job server"]
    assert running.processes[0].find() is None
    assert _status(folder).code == 1
    assert "not running; slipway flink up starts it" in _status(folder).output
    assert down(folder) == []


def test_a_standalone_cluster_is_three_processes_with_their_task_slots(folder: Path) -> None:
    settings = _settings(standalone=True)
    running = up(settings, folder)
    try:
        assert [one.name for one in running.processes] == ["JobManager", "TaskManager", "job server"]
        conf = yaml.safe_load((folder / "flink-conf.yaml").read_text())
        assert conf["taskmanager.numberOfTaskSlots"] == settings.parallelism
        assert (conf["rest.port"], conf["jobmanager.rpc.port"]) == (settings.rest_port, settings.rpc_port)
    finally:
        assert down(folder) == ["job server", "TaskManager", "JobManager"]


def test_a_process_that_died_is_seen_and_up_replaces_it(folder: Path) -> None:
    settings = _settings()
    first = up(settings, folder)
    os.kill(first.processes[0].pid, signal.SIGKILL)
    os.waitpid(first.processes[0].pid, 0)
    (folder / "job_server.log").write_text("begun\nTerminating due to java.lang.OutOfMemoryError\n")
    shown = _status(folder)
    assert shown.code == 1
    assert "job server: ended; its log ends with: Terminating due to java.lang.OutOfMemory" in shown.output
    assert "slipway flink down, then up" in shown.output
    second = up(settings, folder)
    assert second.answers()
    assert down(folder) == ["job server"]


def test_a_pid_that_is_another_process_by_now_is_left_alone(folder: Path) -> None:
    settings = _settings()
    up(settings, folder)
    assert down(folder) == ["job server"]
    folder.joinpath("pids.json").write_text(
        json.dumps(
            {
                "settings": {"job_port": settings.job_port},
                "processes": [{"name": "job server", "pid": os.getpid(), "created": 1.0}],
            }
        )
    )
    assert down(folder) == []
    assert read(folder) is None


def test_what_does_not_start_is_told_with_its_last_words_and_nothing_stays(folder: Path) -> None:
    folder.mkdir()
    (folder / "broken").touch()
    with pytest.raises(
        FlinkError, match=r"the job server ended; the end of .*\n.*enough space for object heap"
    ):
        up(_settings(), folder)
    assert read(folder) is None


def test_a_port_that_is_taken_is_named_with_the_option_for_another(folder: Path) -> None:
    settings = _settings(standalone=True)
    with (
        socket.create_server(("127.0.0.1", settings.rpc_port)),
        pytest.raises(FlinkError, match=f"port {settings.rpc_port} is taken; choose another with --rpc-port"),
    ):
        up(settings, folder)
    assert read(folder) is None
