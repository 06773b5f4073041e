"""Continuing a training that was killed: Keras's own backup keeps the weights, ours the state of EarlyStopping."""

import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from components.atomic import write_atomically

_STATE, _BEST = "early_stopping.json", "best_weights.npz"


def callbacks(keras: Any, folder: Path, patience: int | None, chief: bool = True) -> list[Any]:
    """Make the callbacks that save after every epoch, and that continue from what a folder holds.

    All of several workers continue, and only the chief saves.

    Keras's BackupAndRestore keeps weights, optimizer and epoch, but EarlyStopping forgets which weights were the
    best so far; a continued run would then end with worse ones.
    """
    folder.mkdir(parents=True, exist_ok=True)
    backup = _backup(keras, folder)
    if patience is None:
        return [backup]
    early = keras.callbacks.EarlyStopping(monitor="val_loss", patience=patience, restore_best_weights=True)

    class Memory(keras.callbacks.Callback):  # type: ignore[misc]
        """Saves what EarlyStopping knows; after it in the list, so that its own reset comes first."""

        def on_train_begin(self, logs: Any = None) -> None:
            if (folder / _STATE).exists():
                state = json.loads((folder / _STATE).read_text())
                early.best, early.wait, early.best_epoch = state["best"], state["wait"], state["best_epoch"]
                with np.load(folder / _BEST) as saved:
                    early.best_weights = [saved[f"arr_{index}"] for index in range(len(saved.files))]

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if early.best_weights is None or not chief:
                return
            weights = io.BytesIO()
            np.savez(weights, *early.best_weights)
            write_atomically(folder / _BEST, weights.getvalue())
            state = {"best": float(early.best), "wait": early.wait, "best_epoch": early.best_epoch}
            write_atomically(folder / _STATE, json.dumps(state))

    return [early, Memory(), backup]


def _backup(keras: Any, folder: Path) -> Any:
    if keras.__name__ == "keras":
        return keras.callbacks.BackupAndRestore(str(folder / "backup.weights.h5"), delete_checkpoint=False)
    return keras.callbacks.BackupAndRestore(str(folder / "backup"), delete_checkpoint=False)


def forget(folder: Path) -> None:
    """Remove what was saved, after the model was exported."""
    shutil.rmtree(folder, ignore_errors=True)
