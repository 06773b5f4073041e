"""One of several workers that train one model: `python -m components.train.worker`, started on every machine.

The pipeline runs where the chief is. Its Trainer leaves an order (what to train, from which files) in the checkpoint
folder, which all workers share, and starts the chief's worker as a process of its own, because collective operations
must be set up before TensorFlow computes anything. The others wait until the chief listens, and read the order.
"""

import argparse
import json
import logging
import os
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from components.atomic import write_atomically
from components.train.distribute import ClusterError, read_cluster
from serving.errors import UserError
from serving.process import environment, python_module

ORDER = "order.json"
_FIELDS = (
    "train_files",
    "eval_files",
    "transform_graph_path",
    "schema_path",
    "model_run_dir",
    "serving_model_dir",
    "custom_config",
)
log = logging.getLogger("slipway.train")


class WorkerError(UserError, RuntimeError):
    """The chief's worker failed, or did not start."""


def lead(fn_args: Any) -> None:
    """Leave the order for the other workers, and train as the chief in a process of its own.

    Raises:
        ClusterError: TF_CONFIG does not make this the chief.
        WorkerError: the training failed; the message has its last line.
    """
    if not read_cluster(os.environ).is_chief:
        raise ClusterError("TF_CONFIG names another process as the chief; run slipway train-worker here")
    folder = Path(fn_args.custom_config["checkpoints"])
    order = folder / ORDER
    write_atomically(order, json.dumps({name: getattr(fn_args, name) for name in _FIELDS}))
    command = python_module("components.train.worker", "--checkpoints", str(folder))
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, env=environment()
    ) as process:
        assert process.stdout is not None
        said = "nothing"
        for line in process.stdout:
            said = line.rstrip()
            log.info("%s", said)
    order.unlink()
    if process.returncode:
        raise WorkerError(f"training ended with exit code {process.returncode}; its last line: {said}")


def follow(checkpoints: Path, patience: float) -> None:
    """Train what the chief's order says, in this process's role in TF_CONFIG.

    Args:
        checkpoints: the folder that all workers share.
        patience: seconds to wait until the chief listens.

    Raises:
        ClusterError: TF_CONFIG is missing or malformed.
        WorkerError: the chief did not start.
    """
    cluster = read_cluster(os.environ)
    if not cluster.is_chief:
        _wait_for(cluster.chief, patience)
    fn_args = SimpleNamespace(**json.loads((checkpoints / ORDER).read_text()))
    # Only now: `slipway run` imports this module before the environment is prepared for TensorFlow.
    from components.train.fit import train

    if cluster.is_chief:
        train(fn_args)
        return
    with tempfile.TemporaryDirectory() as scratch:
        fn_args.model_run_dir = scratch
        train(fn_args, chief=False)


def _wait_for(chief: str, patience: float) -> None:
    """Wait until the chief listens: only then is the order that of this training."""
    host, _, port = chief.rpartition(":")
    deadline = time.monotonic() + patience
    while True:
        try:
            with socket.create_connection((host, int(port)), timeout=5):
                return
        except (OSError, ValueError) as error:
            if time.monotonic() > deadline:
                raise WorkerError(
                    f"the chief at {chief} did not start training within {patience:.0f} s ({error})"
                ) from error
            time.sleep(1)


def main() -> None:
    """Run one worker; progress goes to stdout, a line for each epoch."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoints", type=Path, required=True, help="the folder that all workers share")
    parser.add_argument("--patience", type=float, default=86_400, help="seconds to wait for the chief")
    options = parser.parse_args()
    # Libraries print too; what they print goes where their logs go.
    progress = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    log.addHandler(logging.StreamHandler(progress))
    log.setLevel(logging.INFO)
    try:
        follow(options.checkpoints, options.patience)
    except Exception as error:
        log.error("%s", (str(error) or type(error).__name__).splitlines()[0])
        raise


if __name__ == "__main__":
    main()
