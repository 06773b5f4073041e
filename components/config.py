"""The base of every configuration section: frozen, and unknown keys are errors."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A section of the YAML file. Each stage declares its own beside its code; `pipeline.config` joins them."""

    model_config = ConfigDict(frozen=True, extra="forbid")
