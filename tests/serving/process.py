"""A model server as a process of its own."""

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from serving.client.local import free_ports


@dataclass
class Running:
    """A started server."""

    process: "subprocess.Popen[bytes]"
    rest_port: int
    grpc_port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.rest_port}"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.grpc_port}"

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def post(self, path: str, body: Any, **kwargs: Any) -> httpx.Response:
        content = body if isinstance(body, bytes) else None
        return httpx.post(
            self.url + path, content=content, json=None if content is not None else body, **kwargs
        )

    def get(self, path: str, **kwargs: Any) -> httpx.Response:
        return httpx.get(self.url + path, **kwargs)

    def wait(self, text: str, seconds: float = 60) -> None:
        """Waits until the server has printed something."""
        until = time.monotonic() + seconds
        while text not in self.output():
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.output()}")
            if time.monotonic() > until:
                raise AssertionError(f"'{text}' was not printed in {seconds:g} s:\n{self.output()}")
            time.sleep(0.02)

    def memory(self) -> int:
        """Resident bytes."""
        import psutil

        return int(psutil.Process(self.process.pid).memory_info().rss)


@contextlib.contextmanager
def start(*flags: str, ready: bool = True) -> Iterator[Running]:
    """Starts a server on free ports, and ends it with SIGTERM, which must be clean."""
    rest_port, grpc_port = free_ports(2)
    with tempfile.TemporaryDirectory(prefix="serving-test-") as folder:
        log = Path(folder) / "log.txt"
        command = [
            sys.executable,
            "-m",
            "serving.serve",
            f"--port={grpc_port}",
            f"--rest_api_port={rest_port}",
        ]
        with log.open("wb") as output:
            process = subprocess.Popen([*command, *flags], stdout=output, stderr=subprocess.STDOUT)
        running = Running(process, rest_port, grpc_port, log)
        try:
            if ready:
                running.wait("server is ready")
            yield running
            if process.poll() is None:
                process.terminate()
                assert process.wait(30) == 0, running.output()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def run_to_end(*flags: str, seconds: float = 60) -> tuple[int, str]:
    """Runs a server that is expected to end by itself; returns its exit code and what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "serving.serve", *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=seconds,
        check=False,
    )
    return done.returncode, done.stdout.decode(errors="replace")
