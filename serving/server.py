"""The server as a whole: its parts made and wired, started and stopped."""

import asyncio
import logging
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from serving import options
from serving.dataplane import DataPlane
from serving.errors import ServingError
from serving.flags import Flags
from serving.manager.manager import ModelManager
from serving.model_config import ModelConfig
from serving.ops.metrics import Metrics
from serving.rest.app import RestApi
from serving.text_config import ConfigError

log = logging.getLogger("slipway.server")


class StartError(RuntimeError):
    """The server cannot start; the message says why."""


async def run(flags: Flags) -> None:
    """Serves until SIGTERM or SIGINT.

    Raises:
        StartError: if it cannot.
        ConfigError: if the flags or a file they name cannot be used.
    """
    options.check(flags)
    models = options.models(flags)
    with tempfile.TemporaryDirectory(prefix="slipway-models-") as scratch:
        cache = Path(flags.model_cache_dir) if flags.model_cache_dir else Path(scratch)
        await _Server(flags, cache).run(models)


class _Server:
    def __init__(self, flags: Flags, cache: Path) -> None:
        self._flags = flags
        self._metrics = Metrics()
        batching = options.batching(flags)
        rest_options = options.rest(flags)
        self._manager = ModelManager(options.manager(flags, cache, None))
        self._plane = DataPlane(
            self._manager,
            lambda _: batching,
            self._metrics,
            options.limits(flags),
            check_methods=flags.enable_signature_method_name_check,
            threads=flags.grpc_max_threads,
        )
        self._rest = RestApi(self._plane, rest_options)
        self._stop = asyncio.Event()

    async def run(self, models: list[ModelConfig]) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        rest = self._start_rest()
        try:
            loading = asyncio.ensure_future(asyncio.to_thread(self._load, models))
            stopping = asyncio.ensure_future(self._stop.wait())
            await asyncio.wait([loading, stopping], return_when=asyncio.FIRST_COMPLETED)
            if not loading.done():
                return
            loading.result()
            self._rest.started = True
            print(self._ready_line(), flush=True)
            await stopping
        finally:
            self._rest.draining = True
            if rest:
                rest.should_exit = True
                await self._rest_task
            self._plane.close()
            await asyncio.to_thread(self._manager.stop)

    def _load(self, models: list[ModelConfig]) -> None:
        """Waits for the first versions. One bad model among several is reported, and does not stop the others."""
        try:
            self._manager.set_models(models)
        except ServingError as error:
            if len(self._manager.not_ready()) == len(models):
                raise StartError(f"Failed to start server. Error: {error.message}") from error
            log.error("%s", error.message)

    def _start_rest(self) -> uvicorn.Server | None:
        port = self._flags.rest_api_port
        if not port:
            return None
        if port == self._flags.port:
            log.error("--rest_api_port is the same as --port (%d): the REST API is off", port)
            return None
        listener = _listen(port)
        config = uvicorn.Config(
            self._rest,
            loop="none",
            http="httptools",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            backlog=2048,
            timeout_graceful_shutdown=self._flags.drain_seconds,
        )
        server = _Uvicorn(config)
        self._rest_task = asyncio.ensure_future(server.serve(sockets=[listener]))
        return server

    def _ready_line(self) -> str:
        versions = []
        for config in self._manager.configs():
            numbers = [s.version for s in self._manager.status(config.name) if s.state.name == "AVAILABLE"]
            versions.append(f"{config.name} {', '.join(map(str, numbers)) or 'not available'}")
        places = []
        if self._flags.rest_api_port:
            places.append(f"REST on port {self._flags.rest_api_port}")
        return f"Slipway model server is ready: {'; '.join(places)}. Versions: {'; '.join(versions)}"


class _Uvicorn(uvicorn.Server):
    """Leaves the signals to us: REST and gRPC stop together."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server(("0.0.0.0", port), backlog=2048)
    except OSError as error:
        raise StartError(f"cannot listen on port {port} (--rest_api_port): {error.strerror}") from error


__all__ = ["ConfigError", "StartError", "run"]
