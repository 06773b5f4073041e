"""Other model servers on the same model and the same engine, each in an environment of its own.

The environments are made on demand, below the user's cache folder; they see this project's TensorFlow through a
path file, so that every server runs the very same engine, and bring their own versions of everything else.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from serving.client.local import ServerProcess, serve

SCRIPTS = Path(__file__).parent / "peers"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "slipway-benchmark-peers"


@dataclass(frozen=True)
class Peer:
    """How a server is installed and asked.

    Attributes:
        packages: what to install.
        path: where it predicts.
        is_v2: whether it takes the V2 inference protocol's JSON, and not TensorFlow Serving's.
    """

    packages: tuple[str, ...]
    path: str
    is_v2: bool = False


PEERS = {
    "mosec": Peer(("mosec",), "/inference"),
    "litserve": Peer(("litserve",), "/predict"),
    "bentoml": Peer(("bentoml",), "/predict"),
    "mlserver": Peer(("mlserver",), "/v2/models/cnn/infer", is_v2=True),
    "ray": Peer(("ray[serve]",), "/predict"),
}

#: What the environments hold beside this project's own; that of `benchmarks.transports` is one of them.
PACKAGES = {name: peer.packages for name, peer in PEERS.items()} | {"transports": ("uvicorn", "h2")}


@contextmanager
def start_peer(name: str, model: Path) -> Iterator[tuple[int, int, str]]:
    """Runs a server; gives its process, port and path."""
    program = [str(environment_of(name)), str(SCRIPTS / f"{name}_server.py"), str(model)]
    with tempfile.TemporaryDirectory() as scratch:
        with serve(lambda _, port: [*program, str(port)], Path(scratch) / "log.txt") as server:
            wait_for(server, PEERS[name].path)
            yield server.process.pid, server.rest_port, PEERS[name].path
        with contextlib.suppress(ProcessLookupError):  # workers that outlive their parent
            os.killpg(server.process.pid, signal.SIGKILL)


def environment_of(name: str) -> Path:
    """Make the environment of a peer, once; returns its Python."""
    folder = CACHE / name
    python = folder / "bin" / "python"
    if not (folder / ".done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        uv = Path(sys.executable).with_name("uv")
        subprocess.run([str(uv), "venv", "--python", sys.executable, str(folder)], check=True)
        subprocess.run([str(uv), "pip", "install", "--python", str(python), *PACKAGES[name]], check=True)
        site = next((folder / "lib").glob("python*")) / "site-packages"
        (site / "zz_slipway.pth").write_text(sysconfig.get_path("purelib") + "\n")
        (folder / ".done").touch()
    return python


def wait_for(server: ServerProcess, path: str, *, speaks_http1: bool = True) -> None:
    """Wait until a server answers; one of HTTP/2 until it accepts connections."""
    until = time.monotonic() + 180
    while time.monotonic() < until:
        if server.exit_code() is not None:
            raise RuntimeError(f"the peer ended with {server.exit_code()}: {server.last_lines(3)}")
        try:
            if speaks_http1:
                urllib.request.urlopen(f"{server.rest}{path}", timeout=5)
            else:
                socket.create_connection(("127.0.0.1", server.rest_port), timeout=5).close()
            return
        except urllib.error.HTTPError:
            return  # it answers, if only that this is no request
        except OSError:
            time.sleep(0.5)
    raise RuntimeError("the peer did not come up")
