"""The base of every configuration section: frozen, and closed to keys it does not know."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of the YAML file; each stage declares its own beside its code, `pipeline.config` joins them."""

    model_config = ConfigDict(frozen=True, extra="forbid")
