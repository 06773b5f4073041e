"""How the manager behaves."""

from dataclasses import dataclass

from serving.manager.loader import LoadOptions
from serving.ops.metrics import Metrics


@dataclass(frozen=True)
class ManagerOptions:
    """How the manager behaves; the defaults are TensorFlow Serving's.

    Attributes:
        load: how versions are loaded.
        metrics: where to count loads.
        poll_seconds: how often base paths are looked into; 0 for once, negative for never.
        max_retries: how often a failed load is tried again.
        retry_seconds: how long to wait before that.
        load_threads: how many versions may be loaded at once.
        preserve_availability: load the new version before the old one goes; else the old one goes first.
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
