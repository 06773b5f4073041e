"""The server process that the candidate is tried in."""

import contextlib
import shutil
import subprocess
import sys
import time
import uuid
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from components.canary.config import CanaryConfig
from serving.client.base import PredictError
from serving.client.client import Client
from serving.client.local import free_ports, stop

MODEL = "canary"
VERSION = 1
_LOG_LINES = 20


class StartupError(RuntimeError):
    """The server did not come up with the model; the message says how it ended."""


@dataclass
class ServerProcess:
    """A running server and where it listens."""

    process: "subprocess.Popen[bytes]"
    rest: str
    grpc: str
    log: Path

    def died(self) -> int | None:
        """The exit code, if it has ended."""
        return self.process.poll()

    def last_lines(self) -> list[str]:
        """The end of what it has printed."""
        with contextlib.suppress(OSError), self.log.open(errors="replace") as file:
            return [line.rstrip() for line in deque(file, _LOG_LINES)]
        return []


@contextlib.contextmanager
def serve(model_dir: Path, config: CanaryConfig, scratch: Path) -> Iterator[ServerProcess]:
    """Runs a server on a model, and stops it at the end.

    Args:
        model_dir: the candidate.
        config: which server.
        scratch: a folder for its log and its view of the model.
    """
    base = scratch / MODEL
    base.mkdir(parents=True)
    shutil.copytree(model_dir, base / str(VERSION))
    grpc_port, rest_port = free_ports(2)
    name = f"slipway-canary-{uuid.uuid4().hex[:12]}"
    command = _command(config, base, grpc_port, rest_port, name)
    log = scratch / "server.log"
    with log.open("wb") as output:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise StartupError(f"cannot run {command[0]}: {error.strerror}") from error
    server = ServerProcess(process, f"http://127.0.0.1:{rest_port}", f"grpc://127.0.0.1:{grpc_port}", log)
    try:
        yield server
    finally:
        stop(process)
        if config.server == "container":  # the client may be gone while the container still runs
            subprocess.run([config.engine, "rm", "--force", name], capture_output=True, check=False)


def wait_until_ready(server: ServerProcess, seconds: float) -> float:
    """Waits for the model; returns how long it took.

    Raises:
        StartupError: if the server ends, or the model is not available in time.
    """
    started = time.monotonic()
    state = "it does not answer"
    with Client(server.rest, MODEL, timeout=5.0, retries=0) as client:
        while time.monotonic() - started < seconds:
            code = server.died()
            if code is not None:
                raise StartupError(f"the server ended with exit code {code} while loading the model")
            try:
                state = f"its state is {client.status().get(VERSION, 'unknown')}"
                if state.endswith("AVAILABLE") and _answers(server):
                    return time.monotonic() - started
            except PredictError as error:
                state = str(error)
            time.sleep(0.1)
    raise StartupError(f"the model was not available after {seconds:g} s: {state}")


def _answers(server: ServerProcess) -> bool:
    """Whether gRPC is open as well; it opens last."""
    with Client(server.grpc, MODEL, timeout=5.0, retries=0) as client, contextlib.suppress(PredictError):
        return VERSION in client.status()
    return False


def _command(config: CanaryConfig, base: Path, grpc_port: int, rest_port: int, name: str) -> list[str]:
    flags = [f"--model_name={MODEL}", "--max_num_load_retries=0", "--load_retry_interval_micros=0"]
    if not (base / str(VERSION) / "saved_model.pb").exists():
        flags.append("--prefer_tflite_model=true")
    if config.server == "container":
        ports = [f"--publish=127.0.0.1:{grpc_port}:8500", f"--publish=127.0.0.1:{rest_port}:8501"]
        inside = f"/models/{MODEL}"
        run = [config.engine, "run", "--rm", f"--name={name}", *ports, f"--volume={base}:{inside}:ro"]
        return [
            *run,
            config.image,
            "--port=8500",
            "--rest_api_port=8501",
            f"--model_base_path={inside}",
            *flags,
        ]
    program = [config.binary] if config.server == "binary" else [sys.executable, "-m", "serving.serve"]
    return [
        *program,
        f"--port={grpc_port}",
        f"--rest_api_port={rest_port}",
        f"--model_base_path={base}",
        *flags,
    ]
