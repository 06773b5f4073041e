"""The `run_fn` that TFX's Trainer calls."""

from typing import Any

from components.train import fit, worker
from components.train.config import TrainConfig


def run_fn(fn_args: Any) -> None:
    """Train one model for TFX's Trainer; of several workers, as their chief.

    `custom_config` holds `model` and `train` (JSON of their configurations), `inputs` (JSON list of raw features),
    `label`, and `checkpoints`: a folder outside the artifact, from which the next run continues a killed one.
    TensorBoard logs and `history.json` go to the ModelRun artifact, the exported model to the Model artifact, the bare
    Keras model beside it as `keras/model.keras`.
    """
    config = TrainConfig.model_validate_json(fn_args.custom_config["train"])
    if config.strategy == "multi_worker_mirrored":
        worker.lead(fn_args)
    else:
        fit.train(fn_args)
