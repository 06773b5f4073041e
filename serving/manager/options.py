"""The options of the model manager."""

from dataclasses import dataclass

from serving.manager.loader import LoadOptions
from serving.ops.metrics import Metrics


@dataclass(frozen=True)
class ManagerOptions:
    """The options of the model manager; the defaults are TensorFlow Serving's.

    Attributes:
        load: how versions are loaded.
        metrics: the metrics to update.
        poll_seconds: time between checks for new versions; 0 for a single check, negative for none.
        max_retries: how many times a failed load is retried.
        retry_seconds: how long to wait before a retry.
        load_threads: how many versions may load in parallel.
        preserve_availability: load the new version before unloading the old one; otherwise unload it first.
        allow_labels_for_unavailable: accept new labels for versions that are not available.
    """

    load: LoadOptions
    metrics: Metrics
    poll_seconds: float = 1.0
    max_retries: int = 5
    retry_seconds: float = 60.0
    load_threads: int = 4
    preserve_availability: bool = True
    allow_labels_for_unavailable: bool = False
