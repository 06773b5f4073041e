"""The server process that the candidate is tried in: ours, another program, or a container."""

import contextlib
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

from components.canary.config import CanaryConfig
from serving.client.local import Command, ServerProcess, own_server, serve

MODEL = "canary"
VERSION = 1


@contextlib.contextmanager
def serve_candidate(model_dir: Path, config: CanaryConfig, scratch: Path) -> Iterator[ServerProcess]:
    """Run a server on a model, and stop it at the end.

    Args:
        model_dir: the candidate.
        config: which server.
        scratch: a folder for its log and its view of the model.

    Raises:
        ServerError: the program cannot be run.
    """
    base = scratch / MODEL
    base.mkdir(parents=True)
    shutil.copytree(model_dir, base / str(VERSION))
    name = f"slipway-canary-{uuid.uuid4().hex[:12]}"
    try:
        with serve(_command(config, base, name), scratch / "server.log") as server:
            yield server
    finally:
        if config.server == "container":  # the client may be gone while the container still runs
            subprocess.run([config.engine, "rm", "--force", name], capture_output=True, check=False)


def _command(config: CanaryConfig, base: Path, name: str) -> Command:
    flags = [f"--model_name={MODEL}", "--max_num_load_retries=0", "--load_retry_interval_micros=0"]
    if not (base / str(VERSION) / "saved_model.pb").exists():
        flags.append("--prefer_tflite_model=true")
    if config.server == "slipway":
        return own_server(f"--model_base_path={base}", *flags)
    if config.server == "binary":
        return lambda grpc_port, rest_port: [
            config.binary,
            f"--port={grpc_port}",
            f"--rest_api_port={rest_port}",
            f"--model_base_path={base}",
            *flags,
        ]
    inside = f"/models/{MODEL}"
    return lambda grpc_port, rest_port: [
        *(config.engine, "run", "--rm", f"--name={name}"),
        *(f"--publish=127.0.0.1:{grpc_port}:8500", f"--publish=127.0.0.1:{rest_port}:8501"),
        *(f"--volume={base}:{inside}:ro", config.image),
        *("--port=8500", "--rest_api_port=8501", f"--model_base_path={inside}", *flags),
    ]
