"""The server as a whole: creates, connects, starts and stops its parts."""

import asyncio
import gc
import logging
import signal
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from serving import options
from serving.engine.base import Engine
from serving.errors import Code, ServingError, UserError
from serving.flags import Flags
from serving.inference.batching_options import NATURAL, BatchingOptions
from serving.inference.dataplane import DataPlane
from serving.inference.probe import joinable
from serving.inference.runners import engine_of
from serving.inference.warmup import samples, warm_up
from serving.manager.manager import ModelManager
from serving.manager.model_config import ServedModel, read_model_config, request_logging
from serving.manager.state import Version, VersionState
from serving.messages.text_config import ServerConfigError
from serving.ops.access_log import AccessLog
from serving.ops.auth import Tokens
from serving.ops.memory import return_freed
from serving.ops.metrics import Metrics
from serving.ops.request_log import RequestLogs
from serving.ops.tls import read_tls
from serving.process import end_after
from serving.rest.app import RestApi
from serving.rest.server import rest_listener
from serving.rpc import health
from serving.rpc.guard import Guard
from serving.rpc.server import make_server
from serving.transport.listener import BindError, Listener

log = logging.getLogger("slipway.server")
# With Python's default of 5 ms, a thread with a finished answer could wait that long for the event loop to yield.
_SWITCH_SECONDS = 0.0005
# How long it may take to finish the request logs when the server stops.
_CLOSING_SECONDS = 5.0


class StartError(UserError, RuntimeError):
    """The server cannot start; the message says why."""


async def run(flags: Flags) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        StartError: the server cannot start.
        ServerConfigError: the flags, or a file that they name, are invalid.
    """
    options.check(flags)
    models = options.models(flags)
    with tempfile.TemporaryDirectory(prefix="slipway-models-", ignore_cleanup_errors=True) as scratch:
        cache = Path(flags.model_cache_dir) if flags.model_cache_dir else Path(scratch)
        await Server(flags, cache).run(models)


class Server:
    """All parts of one server process."""

    def __init__(self, flags: Flags, cache: Path) -> None:
        self._flags = flags
        self._batching = options.batching(flags)
        self._tls = read_tls(flags.ssl_config_file) if flags.ssl_config_file else None
        tokens = Tokens(Path(flags.auth_token_file)) if flags.auth_token_file else None
        access_log = AccessLog() if flags.access_log == "json" else None
        rest_options = options.rest(flags)
        admins = (
            Tokens(Path(flags.admin_token_file), "--admin_token_file") if flags.admin_token_file else None
        )
        self._guard = Guard(tokens, access_log, admins, flags.allow_remote_reload)
        self._metrics = Metrics()
        self._logs = RequestLogs(self._metrics, flags.request_log_max_megabytes << 20)
        self._joinable: WeakKeyDictionary[Engine, frozenset[str]] = WeakKeyDictionary()
        self._manager = ModelManager(options.manager(flags, cache, self._prepare, self._metrics))
        self._plane = DataPlane(
            self._manager,
            self._batching_of,
            self._metrics,
            options.limits(flags),
            check_methods=flags.enable_signature_method_name_check,
            threads=flags.grpc_max_threads,
        )
        self._inflight = options.inflight(flags)  # of both ports together
        self._rest = RestApi(self._plane, rest_options, self._logs, tokens, access_log)
        self._applied: Future[None] = Future()

    async def run(self, models: list[ServedModel]) -> None:
        """Serve these models until a signal arrives; a second one ends the wait for calls in flight."""
        stop, hurry = asyncio.Event(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(
                number, lambda: hurry.set() if stop.is_set() else stop.set()
            )
        self._logs.configure(request_logging(models))
        listeners: list[Listener] = []
        tasks: list[asyncio.Task[Any]] = []
        try:
            tls = self._tls if self._flags.rest_api_enable_ssl else None
            rest = rest_listener(self._rest, self._flags, tls)
            if rest:
                rest.inflight = self._inflight
                listeners.append(rest)
                await rest.start()
            loading = asyncio.create_task(self._load(models))
            stopping = asyncio.create_task(stop.wait())
            tasks += [loading, stopping, asyncio.create_task(return_freed(lambda: self._inflight.held))]
            if self._flags.model_config_file and self._flags.model_config_file_poll_wait_seconds > 0:
                tasks.append(asyncio.create_task(self._poll_config(models)))
            await asyncio.wait([loading, stopping], return_when=asyncio.FIRST_COMPLETED)
            if not loading.done():
                return
            loading.result()
            state = health.State(self._is_ready, lambda: self._rest.draining)
            rpc = make_server(self._flags, self._plane, self._logs, self._guard, self._tls, state)
            rpc.inflight = self._inflight
            listeners.append(rpc)
            await rpc.start(self._flags.grpc_socket_path, "--grpc_socket_path")
            self._rest.started = True
            _relax_garbage_collection()
            sys.setswitchinterval(_SWITCH_SECONDS)
            print(self._ready_line(), flush=True)
            await stopping
        except BindError as error:
            raise StartError(str(error)) from error
        finally:
            for task in tasks:
                task.cancel()
            await self._close(listeners, hurry, code=0 if stop.is_set() else 255)

    async def _close(self, listeners: list[Listener], hurry: asyncio.Event, code: int) -> None:
        """Let calls in flight finish, then finish the request logs; neither takes longer than it may.

        Nothing else is freed: the process ends with it. Calls that go on would be waited for.
        """
        seconds = self._flags.drain_seconds
        end_after(seconds + 2 * _CLOSING_SECONDS, code)
        self._rest.draining = True
        self._manager.stop()
        ends = [asyncio.create_task(listener.stop(seconds)) for listener in listeners]
        hurrying = asyncio.create_task(hurry.wait())
        waited: list[asyncio.Future[Any]] = [asyncio.gather(*ends), hurrying]
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        end_after(2 * _CLOSING_SECONDS, code)
        await self._plane.close()
        await asyncio.to_thread(self._logs.close, _CLOSING_SECONDS)

    async def _load(self, models: list[ServedModel]) -> None:
        """Wait for the first versions. If only some models fail, they are logged, and the others are served."""
        self._applied = self._manager.set_models(models)
        applied = None
        while applied is not self._applied:
            applied = self._applied  # which a corrected file replaces
            try:
                await asyncio.wrap_future(applied)
            except ServingError as error:
                if applied is not self._applied:
                    continue
                if len(self._manager.not_ready()) == len(self._manager.configs()):
                    raise StartError(f"Failed to start server. Error: {error.message}") from error
                log.error("%s", error.message)

    def _prepare(self, model: str, engine: Engine, folder: Path) -> None:
        """Finish a load: validate the version's own batching parameters, then warm it up."""
        if self._flags.enable_per_model_batching_parameters:
            options.own_batching(folder)
        if self._flags.enable_model_warmup:
            count = warm_up(engine, folder, self._flags.num_request_iterations_for_warmup, self._metrics)
            if count:
                log.info("model %s: %d warm-up requests replayed from %s", model, count, folder)
        self._joinable[engine] = joinable(engine, samples(folder))

    def _batching_of(self, version: Version, signature: str) -> BatchingOptions | None:
        """Return the configured parameters; without any, requests are joined where each row is answered by itself."""
        configured = self._batching
        if configured is not None and self._flags.enable_per_model_batching_parameters:
            configured = options.own_batching(version.cached or Path(version.source))
        if configured is not None:
            return configured
        return NATURAL if signature in self._joinable.get(engine_of(version), ()) else None

    def _is_ready(self) -> bool:
        return not self._rest.draining and not self._manager.not_ready()

    async def _poll_config(self, last: Sequence[ServedModel]) -> None:
        """Reload the model configuration file when it has changed, whatever became of the last one."""
        path = self._flags.model_config_file
        while True:
            await asyncio.sleep(self._flags.model_config_file_poll_wait_seconds)
            try:
                models = await asyncio.to_thread(read_model_config, path)
                if models == last and not _lacks_labels(self._applied):
                    continue
                self._applied = self._manager.set_models(models)
                self._applied.add_done_callback(self._report)
                self._logs.configure(request_logging(models))
                last = models
            except (ServerConfigError, ServingError) as error:
                log.error("reloading %s failed: %s", path, error)
            except Exception:  # or it would be the last look at the file
                log.exception("reloading %s failed", path)

    def _report(self, applied: "Future[None]") -> None:
        if error := applied.exception():
            log.error("reloading %s failed: %s", self._flags.model_config_file, error)

    def _ready_line(self) -> str:
        flags = self._flags
        places = [
            f"gRPC on port {flags.port}" if flags.port else "",
            f"gRPC on {flags.grpc_socket_path}" if flags.grpc_socket_path else "",
            f"REST on port {flags.rest_api_port}" if flags.rest_api_port else "",
        ]
        models = []
        for config in self._manager.configs():
            statuses = self._manager.status(config.name)
            numbers = [str(status.version) for status in statuses if status.state is VersionState.AVAILABLE]
            models.append(f"{config.name} ({', '.join(numbers) or 'not available'})")
        return (
            f"Slipway model server is ready: {', '.join(filter(None, places))}. Models: {', '.join(models)}"
        )


def _lacks_labels(applied: "Future[None]") -> bool:
    """Return whether a label's version was not available. It may be by now, so it is worth another attempt."""
    error = applied.exception() if applied.done() else None
    return isinstance(error, ServingError) and error.code is Code.FAILED_PRECONDITION


def _relax_garbage_collection() -> None:
    """Exempt all loaded objects from garbage collection, and collect less often.

    TensorFlow has hundreds of thousands of objects that are never freed; a JSON document has thousands of lists that
    reference counting frees at once. Scanning the former because of the latter took ten times as long as parsing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)
