"""The request log: a sample of requests and responses, as TFRecord files of PredictionLogs.

Requests only put a record on a queue; a thread writes the files, moves finished ones to their bucket, and deletes the
oldest when a model's log exceeds its limit. When the queue is full, records are dropped and counted: serving comes
first.
"""

import contextlib
import hashlib
import logging
import queue
import random
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving.messages.tfrecord import frame
from serving.ops.metrics import Metrics
from serving.release.open import open_bucket
from serving.release.record import now

log = logging.getLogger("slipway.request_log")

_QUEUE = 1000
_FILE_BYTES = 16 << 20
_FILE_SECONDS = 60.0


@dataclass(frozen=True)
class RequestLogging:
    """The fraction of a model's calls to log (0 to 1), and the prefix of the files: a path or a bucket's URL."""

    prefix: str
    sampling_rate: float


class RequestLogs:
    """The request logs of all models that have one.

    Args:
        metrics: the metrics to update.
        max_bytes: the maximum size of a model's log.
        file_seconds: the time after which a file is finished, at the latest.
    """

    def __init__(self, metrics: Metrics, max_bytes: int, file_seconds: float = _FILE_SECONDS) -> None:
        self._metrics = metrics
        self._max_bytes = max_bytes
        self._file_seconds = file_seconds
        self._settings: dict[str, RequestLogging] = {}
        self._queue: queue.Queue[tuple[str, Any] | None] = queue.Queue(_QUEUE)
        self._thread: threading.Thread | None = None
        self._random = random.Random()

    def configure(self, settings: Mapping[str, RequestLogging]) -> None:
        """Apply the settings of the models that have any, by name; called again when they are reloaded."""
        self._settings = dict(settings)
        if self._settings and self._thread is None:
            self._thread = threading.Thread(target=self._work, name="request-log", daemon=True)
            self._thread.start()

    def wants(self, model: str) -> bool:
        """Return whether this call of a model is in the sample, for callers that must first build the messages."""
        settings = self._settings.get(model) if self._settings else None
        return settings is not None and self._random.random() < settings.sampling_rate

    def put(self, model: str, entry: Any) -> None:
        """Log the PredictionLog of a call for which `wants` returned True."""
        settings = self._settings.get(model)
        if settings is None:
            return
        entry.log_metadata.sampling_config.sampling_rate = settings.sampling_rate
        try:
            self._queue.put_nowait((model, entry))
            self._metrics.request_logs.add(model, "OK")
        except queue.Full:
            self._metrics.request_logs.add(model, "RESOURCE_EXHAUSTED")

    def close(self, seconds: float) -> None:
        """Write what is queued, finish the files and stop the thread, unless a place that hangs takes longer."""
        if self._thread:
            until = time.monotonic() + seconds
            with contextlib.suppress(queue.Full):
                self._queue.put(None, timeout=seconds)
                self._thread.join(max(0.0, until - time.monotonic()))
            if self._thread.is_alive():
                log.error("the request log could not be finished in %g s: its last records are lost", seconds)
            self._thread = None

    def _work(self) -> None:
        with tempfile.TemporaryDirectory(prefix="slipway-request-log-") as scratch:
            files: dict[str, _File] = {}
            running = True
            while running:
                try:
                    item = self._queue.get(timeout=min(1.0, self._file_seconds))
                    running = item is not None
                    if item is not None:
                        self._write(files, item, Path(scratch))
                except queue.Empty:
                    pass
                for model in list(files):
                    if not running or files[model].is_due(self._file_seconds):
                        self._finish(model, files.pop(model))

    def _write(self, files: dict[str, "_File"], item: tuple[str, Any], scratch: Path) -> None:
        model, entry = item
        settings = self._settings.get(model)
        if settings is None:
            return
        if model not in files:
            files[model] = _File(scratch / f"{time.time_ns()}", settings.prefix)
        files[model].write(frame(entry.SerializeToString()))

    def _finish(self, model: str, file: "_File") -> None:
        """Move a finished file to its bucket, under a name that sorts by time."""
        file.handle.close()
        folder, _, stem = file.prefix.rpartition("/")
        name = _named(stem or model, f"{now().replace(':', '')}-{time.time_ns() % 10**9:09d}")
        try:
            bucket = open_bucket(folder or ".")
            bucket.upload(file.path, name)
            self._trim(folder, stem or model)
        except Exception as error:  # clients of object stores raise more than OSError
            log.error("cannot write the request log %s/%s: %s", folder, name, error)
            self._metrics.request_logs.add(model, "UNAVAILABLE")
        finally:
            file.path.unlink(missing_ok=True)

    def _trim(self, folder: str, stem: str) -> None:
        """Delete the oldest files beyond the log's limit, of those alone that a request log wrote."""
        bucket = open_bucket(folder or ".")
        files = sorted((name, info.size) for name, info in bucket.listing("").items() if _is_own(stem, name))
        total = sum(size for _, size in files)
        while files and total > self._max_bytes:
            name, size = files.pop(0)
            bucket.remove([name])
            total -= size


def _named(stem: str, when: str) -> str:
    """Name a file so that it sorts by time, and that no file of anybody else's can be taken for it."""
    proof = hashlib.sha256(f"slipway request log\0{stem}\0{when}".encode()).hexdigest()[:16]
    return f"{stem}-{when}-{proof}.tfrecord"


def _is_own(stem: str, name: str) -> bool:
    when, _, proof = name.removeprefix(f"{stem}-").removesuffix(".tfrecord").rpartition("-")
    return bool(proof) and name == _named(stem, when)


class _File:
    def __init__(self, path: Path, prefix: str) -> None:
        self.path = path
        self.prefix = prefix
        self.handle = path.open("wb")
        self._size = 0
        self._started = time.monotonic()

    def write(self, data: bytes) -> None:
        self.handle.write(data)
        self._size += len(data)

    def is_due(self, seconds: float) -> bool:
        return self._size >= _FILE_BYTES or time.monotonic() - self._started >= seconds
