"""Sending what TensorFlow, Beam and absl print to a log file, also from C++ and from child processes."""

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console


def prepare_tensorflow() -> None:
    """Set what TensorFlow reads when it is first imported: tf_keras as `tf.keras`, and fewer messages from C++."""
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")


@contextlib.contextmanager
def quiet(log_file: Path) -> Iterator[Console]:
    """Send file descriptors 1 and 2 to `log_file`, and yield a console on the original stdout.

    Python's own streams follow, because they write to those descriptors; so do C++ and child processes. Loggers
    write to the log file too; `Progress` shows those below `slipway` on the screen as well.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    screen_fd, error_fd = os.dup(1), os.dup(2)
    log_fd = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log_fd, 1)
    os.dup2(log_fd, 2)
    os.close(log_fd)
    handler = logging.FileHandler(log_file)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    logging.captureWarnings(True)
    screen = os.fdopen(os.dup(screen_fd), "w", encoding="utf-8")
    try:
        with warnings.catch_warnings():
            yield Console(file=screen, width=None if os.isatty(screen_fd) else 140, highlight=False)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        screen.close()
        logging.captureWarnings(False)
        root.removeHandler(handler)
        handler.close()
        os.dup2(screen_fd, 1)
        os.dup2(error_fd, 2)
        os.close(screen_fd)
        os.close(error_fd)
