"""Configuration of the last stage."""

from pydantic import Field

from components.config import Section


class PushConfig(Section):
    """Where a model goes that passed every gate."""

    bucket: str = Field(
        description="fsspec URL: a folder, s3://… or gs://…; the model's folder is made in it"
    )
    keep: int = Field(
        5, ge=1, description="how many of the newest versions stay; a labelled one always stays"
    )
