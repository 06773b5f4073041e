"""A model server as a process of its own, with what tests ask of it."""

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from serving.client.local import ServerProcess, own_server, serve
from serving.process import environment, python_module


@dataclass
class Running(ServerProcess):
    """A started server."""

    @property
    def url(self) -> str:
        return self.rest

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
    with tempfile.TemporaryDirectory(prefix="serving-test-") as folder:
        with serve(own_server(*flags), Path(folder) / "log.txt") as server:
            running = Running(server.process, server.grpc_port, server.rest_port, server.log)
            if ready:
                running.wait("server is ready")
            yield running
            ended_before = running.exit_code() is not None
        assert ended_before or running.exit_code() == 0, running.output()


def run_to_end(*flags: str, seconds: float = 60) -> tuple[int, str]:
    """Runs a server that is expected to end by itself; returns its exit code and what it printed."""
    done = subprocess.run(
        python_module("serving.serve", *flags),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment(),
        timeout=seconds,
        check=False,
    )
    return done.returncode, done.stdout.decode(errors="replace")
