"""What starting a server as a process takes; the canary and the demonstration each start one."""

import socket
import subprocess
from contextlib import ExitStack

_STOP_SECONDS = 15.0


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    (port,) = free_ports(1)
    return port


def free_ports(count: int) -> list[int]:
    """Such ports, no two of them the same."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Ends a process: asked first, and by force if it has not ended within 15 seconds."""
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
