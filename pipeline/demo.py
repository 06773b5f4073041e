"""The demonstration after a push: the released model in a server process, asked with real examples."""

import base64
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from rich.table import Table

from components.evaluate.predict import example_files
from components.raw import raw_inputs, read_examples, text_of
from serving.fetch import fetch
from serving.signature import DEFAULT_SIGNATURE, Signature

_START_SECONDS = 60.0


class ServerError(RuntimeError):
    """The server did not start, or died; the message has its last log lines."""


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def server(bucket: str, model_name: str, log_file: Path) -> Iterator[str]:
    """Run the model server on a bucket, and yield the model's URL once a version is available.

    Raises:
        ServerError: it ended, or was not ready within a minute.
    """
    base = bucket if "://" in bucket else str(Path(bucket).absolute())
    port = free_port()
    command = [sys.executable, "-m", "serving.serve", "--port=0", f"--rest_api_port={port}"]
    command += [f"--model_name={model_name}", f"--model_base_path={base}/{model_name}"]
    with log_file.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        try:
            url = f"http://127.0.0.1:{port}/v1/models/{model_name}"
            _wait(url, process, log_file)
            yield url
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(url: str, process: "subprocess.Popen[bytes]", log_file: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            versions = httpx.get(url, timeout=2).json().get("model_version_status", [])
            if any(version["state"] == "AVAILABLE" for version in versions):
                return
        except (httpx.TransportError, ValueError):
            pass
        time.sleep(0.1)
    reason = "ended" if process.poll() is not None else f"was not ready within {_START_SECONDS:.0f} s"
    tail = "\n".join(log_file.read_text(errors="replace").splitlines()[-5:])
    raise ServerError(f"the model server {reason}; the end of {log_file}:\n{tail}")


def ask(url: str, examples: list[Any], signature: Signature) -> list[dict[str, Any]]:
    """Send raw examples to a model's REST URL; returns one prediction for each, as the server gives it.

    Raises:
        httpx.HTTPStatusError: the server refused.
    """
    rows = raw_inputs(examples, signature.inputs)
    instances = [{name: _json(values[i]) for name, values in rows.items()} for i in range(len(examples))]
    response = httpx.post(f"{url}:predict", json={"instances": instances}, timeout=30)
    response.raise_for_status()
    predictions: list[dict[str, Any]] = response.json()["predictions"]
    return predictions


def _json(value: Any) -> Any:
    plain = value.tolist() if hasattr(value, "tolist") else value
    return {"b64": base64.b64encode(plain).decode()} if isinstance(plain, bytes) else plain


def demonstrate(
    bucket: str,
    model_name: str,
    version: int,
    examples: str,
    split: str,
    label: str,
    count: int,
    folder: Path,
) -> Table:
    """Serve the bucket, ask with real examples of a split, and lay the answers beside the truth.

    Arguments:
        bucket: what is served.
        model_name: the model in it.
        version: the release whose signature is read.
        examples: folder of an Examples artifact.
        split: of it.
        label: the label's feature name.
        count: how many examples.
        folder: of the run, for the server's log and its copy of the release.
    """
    real = read_examples(example_files(examples, split), count)
    signature = _signature(fetch(bucket, model_name, version, folder / "release"))
    with server(bucket, model_name, folder / "server.log") as url:
        predictions = ask(url, real, signature)
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    for heading in ("sent", "truth", "answer", "probability", ""):
        table.add_column(heading, overflow="ellipsis", no_wrap=True)
    for example, prediction in zip(real, predictions, strict=True):
        truth, answer = text_of(example, label), prediction["label"]
        sent = ", ".join(_shown(example, name) for name in signature.inputs)
        sure = f"{max(prediction['probabilities']):.3f}"
        table.add_row(sent, truth, answer, sure, "[green]✓[/]" if truth == answer else "[red]✗[/]")
    return table


def _signature(release: Path) -> Signature:
    from serving.saved_model import load

    with load(release) as loaded:
        return loaded.signatures[DEFAULT_SIGNATURE]


def _shown(example: Any, name: str) -> str:
    feature = example.features.feature[name]
    value = (list(feature.bytes_list.value) or [b""])[0]
    if value.startswith((b"\x89PNG", b"\xff\xd8")):
        return f"{name} ({len(value)} bytes)"
    text = text_of(example, name)
    return text if len(text) <= 60 else text[:59] + "…"
