"""Configuration of preprocessing."""

from pydantic import Field, field_validator, model_validator

from components.config import Section

BUILT_IN = ("image", "text")


class PreprocessConfig(Section):
    """How raw features become what the model reads."""

    module: str = Field(description="image, text, or the path of a Python file with preprocessing_fn(inputs)")
    inputs: tuple[str, ...] = Field(
        description="the raw features that the model reads, and that a client sends", min_length=1
    )
    image_shape: tuple[int, int, int] | None = Field(
        None, description="image: height, width, channels (1, 3 or 4); other sizes are resized"
    )
    vocabulary_size: int = Field(
        10_000, ge=1, description="text: how many of the most frequent words are kept"
    )
    max_length: int = Field(500, ge=1, description="text: words beyond this number are cut off")

    @field_validator("image_shape")
    @classmethod
    def _channels(cls, shape: tuple[int, int, int] | None) -> tuple[int, int, int] | None:
        if shape and (min(shape) < 1 or shape[2] not in (1, 3, 4)):
            raise ValueError(
                "image_shape is [height, width, channels], all positive, with 1, 3 or 4 channels"
            )
        return shape

    @model_validator(mode="after")
    def _fits(self) -> "PreprocessConfig":
        if self.module not in BUILT_IN and not self.module.endswith(".py"):
            raise ValueError(
                f"module is one of {', '.join(BUILT_IN)} or the path of a .py file, not {self.module!r}"
            )
        if self.module == "image" and self.image_shape is None:
            raise ValueError("module image needs image_shape: [height, width, channels]")
        if self.module in BUILT_IN and len(self.inputs) != 1:
            raise ValueError(f"module {self.module} reads one input; write a preprocessing_fn for several")
        return self
