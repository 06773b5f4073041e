"""`slipway doctor`: a line for each thing a run needs, and what to do if it is missing."""

import importlib.metadata
import os
import platform
import shutil
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.config import Config

LOCK = Path(__file__).resolve().parent.parent / "requirements" / "lock.txt"
_MARKS = {"ok": ("✓", "green"), "note": ("–", "yellow"), "missing": ("✗", "bold red")}


@dataclass(frozen=True)
class Finding:
    """One thing that was checked. `missing` makes the exit code 1; a `note` is only shown."""

    name: str
    status: Literal["ok", "note", "missing"]
    found: str
    advice: str = ""


def examine(console: Console, config: Config) -> int:
    """Print every finding; returns 1 if something that a run needs is missing."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    worst = 0
    for look in LOOKS:
        for finding in look(config):
            mark, style = _MARKS[finding.status]
            table.add_row(Text(mark, style), finding.name, finding.found, Text(finding.advice, style))
            worst |= finding.status == "missing"
    console.print(table)
    return worst


def _python(config: Config) -> Iterator[Finding]:
    right = sys.version_info[:2] == (3, 11)
    advice = "" if right else "TFX 1.21 with Kubeflow needs Python 3.11: make PYTHON=/path/to/python3.11"
    yield Finding("Python", "ok" if right else "missing", platform.python_version(), advice)


def _glibc(config: Config) -> Iterator[Finding]:
    name, version = platform.libc_ver()
    right = name == "glibc" and tuple(map(int, version.split("."))) >= (2, 17)
    advice = "" if right else "the wheels are built for glibc 2.17 and newer: use a glibc Linux (not Alpine)"
    yield Finding("C library", "ok" if right else "missing", f"{name or 'unknown'} {version}", advice)


def _wheels(config: Config) -> Iterator[Finding]:
    if not LOCK.is_file():
        yield Finding(
            "packages", "note", "no lock file beside the code", "installed without requirements/lock.txt"
        )
        return
    pins = [
        line.split(" ")[0] for line in LOCK.read_text().splitlines() if "==" in line and line[0].isalnum()
    ]
    wrong = []
    for pin in pins:
        name, _, version = pin.partition("==")
        try:
            have = importlib.metadata.version(name.partition("[")[0])
        except importlib.metadata.PackageNotFoundError:
            have = "not installed"
        if have != version:
            wrong.append(f"{pin} ({have})")
    if wrong:
        yield Finding(
            "packages",
            "missing",
            f"{len(wrong)} differ: {', '.join(wrong[:3])}",
            "rm .venv/.installed; make run",
        )
    else:
        yield Finding("packages", "ok", f"{len(pins)} as locked")


def _text(config: Config) -> Iterator[Finding]:
    try:
        have = importlib.metadata.version("tensorflow-text")
    except importlib.metadata.PackageNotFoundError:
        advice = "optional: to serve SavedModels with tf.Text's operations: pip install '.[text]'"
        yield Finding("tf.Text", "note", "not installed", advice)
        return
    tensorflow = importlib.metadata.version("tensorflow")
    fits = have.split(".")[:2] == tensorflow.split(".")[:2]
    advice = (
        "" if fits else f"it is built for another TensorFlow than {tensorflow}: install its version of that"
    )
    yield Finding("tf.Text", "ok" if fits else "note", have, advice)


def _disk(config: Config) -> Iterator[Finding]:
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    advice = "" if free >= 2 else "examples, artifacts and releases need space: free at least 2 GiB"
    yield Finding("disk", "ok" if free >= 2 else "missing", f"{free:.1f} GiB free here", advice)


def _memory(config: Config) -> Iterator[Finding]:
    free = psutil.virtual_memory().available / 2**30
    advice = "" if free >= 3 else "a run takes about 2 GiB: close something, or expect swapping"
    yield Finding(
        "memory", "ok" if free >= 3 else "note", f"{free:.1f} GiB available, {os.cpu_count()} cores", advice
    )


def _ports(config: Config) -> Iterator[Finding]:
    for port, use in ((8500, "gRPC"), (8501, "REST")):
        with socket.socket() as probe:
            taken = probe.connect_ex(("127.0.0.1", port)) == 0
        advice = f"slipway serve uses it for {use} by default: choose another port there" if taken else ""
        yield Finding(
            f"port {port}", "note" if taken else "ok", "taken" if taken else f"free ({use})", advice
        )


def _bucket(config: Config) -> Iterator[Finding]:
    import fsspec

    url = config.push.bucket
    name = f"bucket {url}"
    probe = f"{url.rstrip('/')}/.slipway-doctor-{uuid.uuid4().hex}"
    try:
        file_system, path = fsspec.core.url_to_fs(probe)
        file_system.makedirs(file_system._parent(path), exist_ok=True)
        file_system.pipe_file(path, b"x")
        file_system.rm_file(path)
    except Exception as error:  # whatever the store raises, the advice is the same
        yield Finding(
            name, "missing", f"{type(error).__name__}: {error}"[:80], "check push.bucket and its credentials"
        )
    else:
        yield Finding(name, "ok", "reachable and writable")


def _data(config: Config) -> Iterator[Finding]:
    from components.ingest.files import find
    from components.ingest.rows import DataError

    for _, path in config.data.sources():
        try:
            count = len(find(path, config.data.format))
        except DataError as error:
            made = config.data.make is not None
            found = f"made by the first run ({config.data.make})" if made else str(error)[:80]
            yield Finding(
                f"data {path}", "note" if made else "missing", found, "" if made else "check data.path"
            )
        else:
            yield Finding(f"data {path}", "ok", f"{count} file{'s' * (count != 1)}")


def _programs(config: Config) -> Iterator[Finding]:
    for name, programs, use in (
        ("containers", ("podman", "docker"), "to build and run the images"),
        ("kubectl", ("kubectl",), "to run on a cluster"),
        ("GPU", ("nvidia-smi",), "to train faster; never needed"),
    ):
        found = next((program for program in programs if shutil.which(program)), None)
        version = _version(found) if found else "not found"
        yield Finding(name, "ok" if found else "note", version, "" if found else f"optional: {use}")


def _version(program: str) -> str:
    flag = {"kubectl": ["version", "--client"], "nvidia-smi": ["-L"]}.get(program, ["--version"])
    try:
        done = subprocess.run([program, *flag], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{program}: {error}"
    return (done.stdout or done.stderr).strip().splitlines()[0] if done.stdout or done.stderr else program


LOOKS: tuple[Callable[[Config], Iterator[Finding]], ...] = (
    _python,
    _glibc,
    _wheels,
    _text,
    _disk,
    _memory,
    _ports,
    _data,
    _bucket,
    _programs,
)
