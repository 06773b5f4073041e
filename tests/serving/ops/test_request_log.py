"""The request log's bounds: on the disk it ends in, and on the queue it comes from."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from serving.messages.protos import prediction_log_pb2
from serving.messages.tfrecord import read_records
from serving.ops import request_log
from serving.ops.metrics import Metrics
from serving.ops.request_log import RequestLogging, RequestLogs

RECORD = 10_000
SHARE = 100_000


def entry(number: int) -> Any:
    record = prediction_log_pb2.PredictionLog()
    record.predict_log.request.model_spec.name = f"{number:06}" + "x" * RECORD
    return record


def configured(logs: RequestLogs, prefix: Path) -> None:
    logs.configure({"m": RequestLogging(str(prefix), 1.0)})


def count(metrics: Metrics, status: str) -> float:
    line = f'request_log_count{{model_name="m",status="{status}"}} '
    return next((float(x.split(" ")[1]) for x in metrics.page().splitlines() if line in x), 0.0)


def test_the_oldest_files_go_when_the_share_is_used_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_log, "_FILE_BYTES", 3 * RECORD)
    (tmp_path / "notes.txt").write_bytes(b"x" * SHARE)  # somebody else's file is not counted, and stays
    theirs = (
        "other-1.tfrecord",
        "calls-00000-of-00003.tfrecord",
        "calls-2026-11-25T000000+0000-1-0123456789abcdef.tfrecord",
    )
    for name in theirs:
        (tmp_path / name).write_bytes(b"x" * SHARE)
    # The log of a model whose name begins alike.
    longer = request_log._named("calls-b", "2026-11-25T000000+0000-000000001")
    (tmp_path / longer).write_bytes(b"x" * SHARE)
    logs = RequestLogs(Metrics(), SHARE)
    configured(logs, tmp_path / "calls")
    most, others = 0, size(tmp_path)
    for number in range(100):
        logs.put("m", entry(number))
        time.sleep(0.002)
        most = max(most, size(tmp_path) - others)
    logs.close(10)
    assert size(tmp_path) - others <= SHARE
    assert most <= SHARE + 4 * RECORD  # a file more, until the oldest has gone
    kept = [
        int(prediction_log_pb2.PredictionLog.FromString(data).predict_log.request.model_spec.name[:6])
        for path in sorted(tmp_path.glob("calls-*.tfrecord"))
        if path.name not in (*theirs, longer)
        for data in read_records(path)
    ]
    assert kept == list(range(kept[0], 100))  # the newest, without a gap
    assert 5 <= len(kept) < 10
    assert (tmp_path / "notes.txt").exists()
    assert all((tmp_path / name).exists() for name in (*theirs, longer))


def test_what_does_not_fit_the_queue_is_dropped_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_log, "_QUEUE", 5)
    disk = threading.Event()
    write: Callable[..., None] = RequestLogs._write

    def slow(self: RequestLogs, *arguments: Any) -> None:
        disk.wait(30)
        write(self, *arguments)

    monkeypatch.setattr(RequestLogs, "_write", slow)
    metrics = Metrics()
    logs = RequestLogs(metrics, SHARE)
    configured(logs, tmp_path / "calls")
    started = time.monotonic()
    for number in range(20):
        logs.put("m", entry(number))
    assert time.monotonic() - started < 1  # nobody waited for the disk
    disk.set()
    logs.close(10)
    ok = count(metrics, "OK")
    assert ok in (5, 6)  # what fits the queue, and the one the writer had taken
    assert count(metrics, "RESOURCE_EXHAUSTED") == 20 - ok
    (path,) = tmp_path.glob("calls-*.tfrecord")
    assert len(list(read_records(path))) == ok


def test_a_bucket_that_cannot_be_written_is_counted_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    metrics = Metrics()
    logs = RequestLogs(metrics, SHARE)
    configured(logs, tmp_path / "file" / "calls")
    logs.put("m", entry(0))
    logs.close(10)
    assert count(metrics, "UNAVAILABLE") == 1


def size(folder: Path) -> int:
    total = 0
    for path in folder.glob("calls-*"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:  # it is gone since
            continue
    return total
