"""What a soak changes while clients are served: new versions in, old ones out, and new configurations."""

import itertools
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import grpc
from google.protobuf import text_format

from benchmarks.serving_beside import configuration
from serving.client import Client
from serving.client.local import ServerProcess
from serving.messages.protos import model_management_pb2, model_server_config_pb2

SWAP_SECONDS = 8.0
RELOAD_SECONDS = 7.0
_UP_SECONDS = 60.0


class Changes:
    """Changes that go on in threads until `stop`.

    Attributes:
        done: how many versions were swapped and configurations loaded.
        failures: those that did not come about.
    """

    def __init__(self, server: ServerProcess, folder: Path, names: tuple[str, ...]) -> None:
        self.done = 0
        self.failures: list[str] = []
        self._server, self._folder, self._names = server, folder, names
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._repeat, args=one, daemon=True)
            for one in ((self._swap, SWAP_SECONDS), (self._reload, RELOAD_SECONDS))
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let the changes that are under way come to their end."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _repeat(self, change: Callable[[int], None], seconds: float) -> None:
        for number in itertools.count(1):
            if self._stopped.wait(seconds):
                return
            try:
                change(number)
            except Exception as error:  # whatever it is, the server did not do what it was told
                self.failures.append(f"{change.__name__} {number}: {type(error).__name__}: {error}"[:300])
            else:
                self.done += 1

    def _swap(self, number: int) -> None:
        """Put a copy of a version in as the next one, and take the old one out once that is served."""
        model = self._folder / "swapped"
        arriving = self._folder / "arriving"
        shutil.copytree(model / str(number), arriving)
        arriving.rename(model / str(number + 1))
        until = time.monotonic() + _UP_SECONDS
        with Client(self._server.rest, "swapped", timeout=30.0, retries=0) as client:
            while client.status().get(number + 1) != "AVAILABLE":
                if time.monotonic() > until:
                    raise TimeoutError(f"version {number + 1} is not up after {_UP_SECONDS:g} s")
                time.sleep(0.2)
        shutil.rmtree(model / str(number))

    def _reload(self, number: int) -> None:
        """Configure one model more, or no longer."""
        names = (*self._names, "extra") if number % 2 else self._names
        text = configuration(self._folder, *names)
        config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
        request = model_management_pb2.ReloadConfigRequest(config=config)
        options = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(f"127.0.0.1:{self._server.grpc_port}", options=options) as channel:
            call = channel.unary_unary("/tensorflow.serving.ModelService/HandleReloadConfigRequest")
            answer = call(request.SerializeToString(), timeout=_UP_SECONDS)
        status = model_management_pb2.ReloadConfigResponse.FromString(answer).status
        if status.error_code:
            raise RuntimeError(f"{status.error_code}: {status.error_message}")
