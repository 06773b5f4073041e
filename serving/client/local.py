"""Runs a server on this machine: starts it, waits until it is ready, and stops it at the end."""

import contextlib
import socket
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from serving.client.base import PredictError
from serving.client.client import Client
from serving.errors import UserError
from serving.process import environment, python_module

_STOP_SECONDS = 15.0
_POLL_SECONDS = 0.1

Command = Callable[[int, int], Sequence[str]]
"""Returns a server's command for its gRPC port and its REST port."""


class ServerError(UserError, RuntimeError):
    """The server did not start, exited, or was not ready in time; the message says which."""


@dataclass
class ServerProcess:
    """A started server and its ports."""

    process: "subprocess.Popen[bytes]"
    grpc_port: int
    rest_port: int
    log: Path

    @property
    def rest(self) -> str:
        """The URL of its REST API."""
        return f"http://127.0.0.1:{self.rest_port}"

    @property
    def grpc(self) -> str:
        """The URL of its gRPC API, for `Client`."""
        return f"grpc://127.0.0.1:{self.grpc_port}"

    def exit_code(self) -> int | None:
        """Return the exit code if the process has ended, else None."""
        return self.process.poll()

    def last_lines(self, count: int = 20) -> list[str]:
        """Return the last lines of its output."""
        with contextlib.suppress(OSError), self.log.open(errors="replace") as file:
            return [line.rstrip() for line in deque(file, count)]
        return []


def own_server(*flags: str) -> Command:
    """Return the command of our own server with these flags and the ports."""
    return lambda grpc_port, rest_port: python_module(
        "serving.serve", f"--port={grpc_port}", f"--rest_api_port={rest_port}", *flags
    )


@contextlib.contextmanager
def serve(command: Command, log: Path, env: Mapping[str, str] | None = None) -> Iterator[ServerProcess]:
    """Run a server on free ports of the loopback address, and stop it at the end.

    Args:
        command: returns its command, such as `own_server("--model_base_path=…")`.
        log: the file for its output.
        env: its environment; `environment()` if None.

    Raises:
        ServerError: the program cannot be run.
    """
    grpc_port, rest_port = free_ports(2)
    arguments = list(command(grpc_port, rest_port))
    with log.open("wb") as output:
        try:
            process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment() if env is None else env,
                start_new_session=True,  # Ctrl-C in the terminal must not stop it
            )
        except OSError as error:
            raise ServerError(f"cannot run {arguments[0]}: {error.strerror}") from error
    try:
        yield ServerProcess(process, grpc_port, rest_port, log)
    finally:
        stop(process)


def wait_until_ready(
    server: ServerProcess, model_name: str, seconds: float, version: int | None = None
) -> float:
    """Wait until a version of a model is available by REST and by gRPC; return how many seconds that took.

    Args:
        server: the server.
        model_name: the model.
        seconds: how long to wait.
        version: its version; any if None.

    Raises:
        ServerError: the server exited, or the model is not available in time.
    """
    started = time.monotonic()
    state = "the server does not answer"
    with (
        Client(server.rest, model_name, timeout=5.0, retries=0) as rest,
        Client(server.grpc, model_name, timeout=5.0, retries=0) as grpc,
    ):
        while time.monotonic() - started < seconds:
            code = server.exit_code()
            if code is not None:
                raise ServerError(f"the server stopped with exit code {code} while loading the model")
            try:
                states = rest.status()
                state = f"its state is {states.get(version, 'unknown') if version else states}"
                # The gRPC port opens last.
                if _available(states, version) and _available(grpc.status(), version):
                    return time.monotonic() - started
            except PredictError as error:
                state = str(error)
            time.sleep(_POLL_SECONDS)
    raise ServerError(f"the model was not available after {seconds:g} s: {state}")


def _available(states: dict[int, str], version: int | None) -> bool:
    wanted = states.values() if version is None else [states.get(version)]
    return "AVAILABLE" in wanted


def free_port() -> int:
    """Find a free port of the loopback address."""
    (port,) = free_ports(1)
    return port


def free_ports(count: int) -> list[int]:
    """Find several different free ports of the loopback address."""
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Stop a process: by SIGTERM, and by SIGKILL if it has not exited after 15 seconds."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
