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
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from serving.client.local import free_port, stop

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
    python = environment_of(name)
    port = free_port()
    process = subprocess.Popen(
        [str(python), str(SCRIPTS / f"{name}_server.py"), str(model), str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "TF_CPP_MIN_LOG_LEVEL": "3"},
        start_new_session=True,
    )
    try:
        wait_for(process, port, PEERS[name].path)
        yield process.pid, port, PEERS[name].path
    finally:
        stop(process)
        with contextlib.suppress(ProcessLookupError):  # workers that outlive their parent
            os.killpg(process.pid, signal.SIGKILL)


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


def wait_for(process: "subprocess.Popen[bytes]", port: int, path: str, *, speaks_http1: bool = True) -> None:
    """Wait until a server answers; one of HTTP/2 until it accepts connections."""
    until = time.monotonic() + 180
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"the peer ended with {process.returncode}")
        try:
            if speaks_http1:
                urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5)
            else:
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        except urllib.error.HTTPError:
            return  # it answers, if only that this is no request
        except OSError:
            time.sleep(0.5)
    raise RuntimeError("the peer did not come up")
