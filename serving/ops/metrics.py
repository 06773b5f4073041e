"""Counters and histograms with TensorFlow Serving's names, in Prometheus' text format.

The names start with a colon and counters lack the suffix `_total`, which the usual client library does not support;
dashboards and alerts made for TensorFlow Serving need exactly these names.
"""

import math
import threading
from bisect import bisect_left
from collections.abc import Sequence

# 33 buckets from 10 µs, each 1.8 times the previous: up to about 25 minutes, as in TensorFlow Serving.
LATENCY_BUCKETS = tuple(10 * 1.8**i for i in range(33))
COUNT_BUCKETS = tuple(float(2**i) for i in range(33))
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[str, ...]


class Counter:
    """A number that only increases, for each set of label values."""

    def __init__(self, name: str, help_text: str, labels: Sequence[str]) -> None:
        self.name = name
        self._help = help_text
        self._labels = tuple(labels)
        self._values: dict[Labels, float] = {}
        self._lock = threading.Lock()

    def add(self, *labels: str, by: float = 1) -> None:
        """Increase the counter."""
        with self._lock:
            self._values[labels] = self._values.get(labels, 0) + by

    def value(self, *labels: str) -> float:
        """Return the count; the sum over all labels if none are given."""
        with self._lock:
            return self._values.get(labels, 0) if labels else sum(self._values.values())

    def lines(self) -> list[str]:
        """Return the metric in Prometheus' text format."""
        with self._lock:
            values = sorted(self._values.items())
        head = [f"# HELP {self.name} {self._help}", f"# TYPE {self.name} counter"]
        return head + [f"{self.name}{_braces(self._labels, labels)} {value:g}" for labels, value in values]


class Histogram:
    """The number of values in each bucket, for each set of label values."""

    def __init__(self, name: str, help_text: str, labels: Sequence[str], buckets: Sequence[float]) -> None:
        self.name = name
        self._help = help_text
        self._labels = tuple(labels)
        self._bounds = tuple(buckets)
        self._cells: dict[Labels, list[float]] = {}
        self._lock = threading.Lock()

    def observe(self, value: float, *labels: str) -> None:
        """Count a value."""
        bucket = bisect_left(self._bounds, value)
        with self._lock:
            cell = self._cells.get(labels)
            if cell is None:
                # One count per bucket, one for values above all bounds, and the sum.
                cell = self._cells[labels] = [0.0] * (len(self._bounds) + 2)
            cell[bucket] += 1
            cell[-1] += value

    def lines(self) -> list[str]:
        """Return the metric in Prometheus' text format."""
        with self._lock:
            cells = sorted((labels, list(cell)) for labels, cell in self._cells.items())
        out = [f"# HELP {self.name} {self._help}", f"# TYPE {self.name} histogram"]
        for labels, cell in cells:
            total = 0.0
            for bound, count in zip((*self._bounds, math.inf), cell, strict=False):
                total += count
                le = "+Inf" if bound == math.inf else f"{bound:g}"
                braces = _braces((*self._labels, "le"), (*labels, le))
                out.append(f"{self.name}_bucket{braces} {total:g}")
            out.append(f"{self.name}_sum{_braces(self._labels, labels)} {cell[-1]:g}")
            out.append(f"{self.name}_count{_braces(self._labels, labels)} {total:g}")
        return out


class Metrics:
    """All metrics of a server."""

    def __init__(self) -> None:
        prefix = ":tensorflow:serving:"
        self.request_count = Counter(
            f"{prefix}request_count", "The total number of requests.", ["model_name", "status"]
        )
        self.request_latency = Histogram(
            f"{prefix}request_latency",
            "Distribution of wall time (in microseconds) for Tensorflow Serving request.",
            ["model_name", "API", "entrypoint"],
            LATENCY_BUCKETS,
        )
        self.runtime_latency = Histogram(
            f"{prefix}runtime_latency",
            "Distribution of wall time (in microseconds) for Tensorflow runtime.",
            ["model_name", "API", "runtime"],
            LATENCY_BUCKETS,
        )
        self.example_counts = Histogram(
            f"{prefix}request_example_counts",
            "The number of tensorflow.Examples per request.",
            ["model"],
            COUNT_BUCKETS,
        )
        self.example_count_total = Counter(
            f"{prefix}request_example_count_total", "The total number of tensorflow.Examples.", ["model"]
        )
        self.warmup_latency = Histogram(
            f"{prefix}model_warmup_latency",
            "Distribution of wall time (in microseconds) for warming up a model.",
            ["model_path", "status"],
            LATENCY_BUCKETS,
        )
        self.warmup_records = Counter(
            f"{prefix}model_warmup_records_read", "Warm-up records replayed.", ["model_path"]
        )
        self.queuing_latency = Histogram(
            f"{prefix}batching_session:queuing_latency",
            "Distribution of wall time (in microseconds) that requests waited for their batch.",
            [],
            LATENCY_BUCKETS,
        )
        self.batches = Counter(
            f"{prefix}batching_session:wrapped_run_count", "The number of batches that were run.", []
        )
        self.batch_sizes = Histogram(
            f"{prefix}batching_session:processed_batch_size",
            "Rows in a batch, padding included.",
            [],
            COUNT_BUCKETS,
        )
        self.load_attempts = Counter(
            ":tensorflow:cc:saved_model:load_attempt_count",
            "The number of times a SavedModel was loaded.",
            ["model_path", "status"],
        )
        self.load_latency = Counter(
            ":tensorflow:cc:saved_model:load_latency",
            "Latency in microseconds for SavedModels that were successfully loaded.",
            ["model_path"],
        )
        self.request_logs = Counter(
            f"{prefix}request_log_count", "Requests logged.", ["model_name", "status"]
        )

    def loaded(self, source: str, seconds: float, *, ok: bool) -> None:
        """Count an attempt to load a version."""
        self.load_attempts.add(source, "success" if ok else "fail")
        if ok:
            self.load_latency.add(source, by=seconds * 1e6)

    def total(self, name: str) -> float:
        """Return a counter's sum over all labels, by its name; 0 for an unknown name."""
        counters = (value for value in vars(self).values() if isinstance(value, Counter))
        return next((counter.value() for counter in counters if counter.name == name), 0)

    def page(self) -> str:
        """Return all metrics in Prometheus' text format."""
        metrics = [value for value in vars(self).values() if isinstance(value, Counter | Histogram)]
        return "\n".join(line for metric in metrics for line in metric.lines()) + "\n"


def _braces(names: Sequence[str], values: Sequence[str]) -> str:
    if not names:
        return ""
    pairs = (f'{name}="{_escape(value)}"' for name, value in zip(names, values, strict=True))
    return "{" + ",".join(pairs) + "}"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
