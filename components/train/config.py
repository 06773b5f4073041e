"""Configuration of the model and of its training."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from components.config import Section

BUILT_IN = ("cnn", "lstm")
#: Under the names of `tf.distribute`.
Strategy = Literal["mirrored", "multi_worker_mirrored"]


class ModelConfig(Section):
    """Which model is built, and with which hyperparameters."""

    module: str = Field(description="cnn, lstm, or the path of a Python file with build_model(…)")
    hyperparameters: dict[str, Any] = Field({}, description="passed to build_model")
    output: Literal["probabilities", "logits"] | None = Field(
        None,
        description="what build_model's model returns; logits are turned into probabilities after training. null: "
        "logits if the model is compiled with a loss from_logits, else probabilities",
    )

    @field_validator("module")
    @classmethod
    def _known(cls, module: str) -> str:
        if module not in BUILT_IN and not module.endswith(".py"):
            raise ValueError(
                f"module is one of {', '.join(BUILT_IN)} or the path of a .py file, not {module!r}"
            )
        return module


class TrainConfig(Section):
    """How the model is trained. Optimizer, loss and metrics are ours, unless build_model compiles the model itself."""

    epochs: int = Field(20, ge=1, description="the most epochs")
    batch_size: int = Field(32, ge=1, description="examples per step, over all devices and workers together")
    learning_rate: float = Field(1e-3, gt=0, description="of Adam")
    early_stopping_patience: int | None = Field(
        3,
        ge=0,
        description="epochs without a better val_loss before it stops; the best weights are kept; null: never",
    )
    class_weights: Literal["balanced"] | dict[str, Annotated[float, Field(ge=0)]] | None = Field(
        None,
        description="balanced: each class counts as much as any other; or a weight for each class by name",
    )
    seed: int = Field(
        1, ge=0, lt=2**32, description="of weights, shuffling and dropout: the same seed gives the same model"
    )
    shuffle_buffer: int = Field(10_000, ge=1, description="examples held in memory to shuffle among")
    strategy: Strategy | None = Field(
        None,
        description="tf.distribute's: mirrored, over the GPUs of this machine; multi_worker_mirrored, over the workers "
        "in TF_CONFIG (docs/scale.md); null: one device",
    )
