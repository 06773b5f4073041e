"""Garbage collection of processes that import TensorFlow."""

import gc


def collect_seldom() -> None:
    """Look for garbage once for 20,000 new objects, where Python does it for 700; call it before importing TensorFlow.

    TensorFlow and TFX have a million objects that are never freed, and graphs of wide tables have as many: looking
    through them again and again took a twelfth of a run. What no cycle holds is freed at once all the same.
    """
    gc.set_threshold(20_000, 10, 2)
