"""The base of every configuration section: frozen; unknown keys are errors, and so are NaN and infinity."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A section of the YAML file. Each stage declares its own beside its code; `pipeline.config` joins them."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
