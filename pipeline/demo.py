"""The demonstration after a push: the released model in a server process, asked with real examples."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from components.evaluate.baseline import SERVING
from components.evaluate.predict import example_files
from components.raw import raw_inputs, read_examples, text_of
from pipeline.config import Config
from serving.client.base import PredictError
from serving.client.client import Client
from serving.client.local import free_ports, stop
from serving.engine.saved_model import load
from serving.engine.signature import DEFAULT_SIGNATURE

_START_SECONDS = 60.0


class ServerError(RuntimeError):
    """The server did not start, or died; the message has its last log lines."""


@contextmanager
def server(bucket: str, model_name: str, log_file: Path) -> Iterator[Client]:
    """Run the model server on a bucket, and yield a client of it once a version is available.

    Raises:
        ServerError: it ended, or was not ready within a minute.
    """
    base = bucket if "://" in bucket else str(Path(bucket).absolute())
    port, grpc_port = free_ports(2)
    command = [sys.executable, "-m", "serving.serve", f"--port={grpc_port}", f"--rest_api_port={port}"]
    command += [f"--model_name={model_name}", f"--model_base_path={base}/{model_name}"]
    with log_file.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        try:
            with Client(f"http://127.0.0.1:{port}", model_name) as client:
                _wait(client, process, log_file)
                yield client
        finally:
            stop(process)


def _wait(client: Client, process: "subprocess.Popen[bytes]", log_file: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with suppress(PredictError):
            if "AVAILABLE" in client.status().values():
                return
        time.sleep(0.1)
    reason = "ended" if process.poll() is not None else f"was not ready within {_START_SECONDS:.0f} s"
    tail = "\n".join(log_file.read_text(errors="replace").splitlines()[-5:])
    raise ServerError(f"the model server {reason}; the end of {log_file}:\n{tail}")


def demonstrate(config: Config, outputs: dict[str, dict[str, str]], folder: Path) -> Table:
    """Serve the bucket, ask with real examples of the evaluation split, and lay the answers beside the truth.

    Arguments:
        config: of the run.
        outputs: its artifacts' folders by stage and key.
        folder: of the run, for the server's log.

    Raises:
        ServerError: the server did not start.
        PredictError: it refused.
    """
    real = read_examples(
        example_files(outputs["Ingest"]["examples"], config.evaluation_split), config.serve.examples
    )
    with load(Path(outputs["Trainer"]["model"]) / SERVING) as model:
        inputs = model.signatures[DEFAULT_SIGNATURE].inputs
    with server(config.push.bucket, config.model_name, folder / "server.log") as client:
        answers = client.predict(raw_inputs(real, inputs))
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    for heading in ("sent", "truth", "answer", "probability", ""):
        table.add_column(heading, overflow="ellipsis", no_wrap=True)
    for example, label, probabilities in zip(real, answers["label"], answers["probabilities"], strict=True):
        truth, answer = text_of(example, config.data.label), label.decode()
        sent = ", ".join(_shown(example, name) for name in inputs)
        mark = Text("✓", "green") if truth == answer else Text("✗", "red")
        table.add_row(Text(sent), truth, answer, f"{probabilities.max():.3f}", mark)
    return table


def _shown(example: Any, name: str) -> str:
    feature = example.features.feature[name]
    value = (list(feature.bytes_list.value) or [b""])[0]
    if value.startswith((b"\x89PNG", b"\xff\xd8")):
        return f"{name} ({len(value)} bytes)"
    text = text_of(example, name)
    return text if len(text) <= 60 else text[:59] + "…"
