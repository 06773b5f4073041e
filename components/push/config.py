"""Configuration of the last stage."""

from typing import Literal

from pydantic import Field, field_validator

from components.config import Section
from serving.release.open import open_bucket

#: Which server loads what is pushed.
PushFormat = Literal["slipway", "tf_serving"]


class PushConfig(Section):
    """Where a model that passed every gate is released."""

    bucket: str = Field(
        description="fsspec URL: a folder, s3://… or gs://…; the model's folder is made in it"
    )
    format: PushFormat = Field(
        "slipway",
        description="which server loads it: tf_serving gets SavedModels only, because stock TF Serving cannot "
        "preprocess for a LiteRT model",
    )
    keep: int = Field(
        5, ge=1, description="how many of the newest versions stay; a labelled one always stays"
    )

    @field_validator("bucket")
    @classmethod
    def _known_kind(cls, bucket: str) -> str:
        # Checked now, not after hours of training.
        open_bucket(bucket)
        return bucket
