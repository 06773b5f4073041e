"""Configuration of the last stage."""

from typing import Literal

from pydantic import Field, field_validator

from components.config import Section
from serving.release.open import open_bucket

#: Who loads what is pushed.
Format = Literal["slipway", "tf_serving"]


class PushConfig(Section):
    """Where a model goes that passed every gate."""

    bucket: str = Field(
        description="fsspec URL: a folder, s3://… or gs://…; the model's folder is made in it"
    )
    format: Format = Field(
        "slipway",
        description="who loads what is pushed: tf_serving gets SavedModels only, because stock TF Serving cannot "
        "preprocess for a LiteRT model",
    )
    keep: int = Field(
        5, ge=1, description="how many of the newest versions stay; a labelled one always stays"
    )

    @field_validator("bucket")
    @classmethod
    def _known_kind(cls, bucket: str) -> str:
        # Told now, and not after hours of training.
        open_bucket(bucket)
        return bucket
