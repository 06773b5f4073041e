"""Configuration of preprocessing."""

import difflib
from typing import Any, Literal, get_args

from pydantic import Field, field_validator, model_validator

from components.config import Section

BUILT_IN = ("image", "text")
Strategy = Literal["mean", "median", "most_frequent"]
Value = str | int | float


class Missing(Section):
    """What stands in for a missing value, in scikit-learn's terms.

    `age: median` is short for `age: {strategy: median}`, and `age: 0` for `age: {fill_value: 0}`. Strategies are
    computed on the training split. Exactly one of `strategy` and `fill_value` is given.
    """

    strategy: Strategy | None = Field(None, description="mean and median make integers float32")
    fill_value: Value | tuple[Value, ...] | None = Field(
        None, description="a value; a list of k values for a feature of k values"
    )
    add_indicator: bool = Field(
        False, description="preprocessing_fn also gets <column>_missing, 1 where the value is missing, else 0"
    )

    @field_validator("fill_value", mode="before")
    @classmethod
    def _value(cls, value: Any) -> Any:
        if isinstance(value, bool) or value in ([], ()):
            said = "an empty list" if not isinstance(value, bool) else f"YAML's {str(value).lower()}"
            raise ValueError(f"{said} is no value; text goes in quotes, and for numbers it is 0 or 1")
        near = (
            difflib.get_close_matches(value, get_args(Strategy), n=1, cutoff=0.8)
            if isinstance(value, str)
            else []
        )
        if near:
            raise ValueError(f"{value!r} is no strategy; did you mean {near[0]}?")
        return value

    @model_validator(mode="after")
    def _one(self) -> "Missing":
        if (self.strategy is None) == (self.fill_value is None):
            raise ValueError(f"give one of strategy ({', '.join(get_args(Strategy))}) and fill_value")
        return self


class PreprocessConfig(Section):
    """How raw features become what the model reads."""

    module: str = Field(description="image, text, or the path of a Python file with preprocessing_fn(inputs)")
    inputs: tuple[str, ...] = Field(
        description="the raw features that the model reads, and that a client sends", min_length=1
    )
    missing: dict[str, Missing] = Field(
        {},
        description="by column: mean, median, most_frequent or a value, where an example has none; a request may then "
        "leave it out too",
    )
    image_shape: tuple[int, int, int] | None = Field(
        None, description="image: height, width, channels (1, 3 or 4); other sizes are resized"
    )
    vocabulary_size: int = Field(
        10_000, ge=1, description="text: how many of the most frequent words are kept"
    )
    max_length: int = Field(500, ge=1, description="text: words beyond this number are cut off")

    @field_validator("missing", mode="before")
    @classmethod
    def _short(cls, missing: Any) -> Any:
        """Read `age: median` and `age: 0` as what they are short for."""
        if not isinstance(missing, dict):
            return missing
        return {
            column: policy
            if isinstance(policy, dict | Missing)
            else {"strategy" if policy in get_args(Strategy) else "fill_value": policy}
            for column, policy in missing.items()
        }

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
        if bad := [name for name in self.inputs if not name or {"\n", "\r"} & set(name)]:
            raise ValueError(
                f"inputs: a column cannot be called {bad[0]!r}: a name is not empty and has no line break"
            )
        if twice := sorted({name for name in self.inputs if self.inputs.count(name) > 1}):
            raise ValueError(f"inputs names {twice} twice")
        if other := sorted(set(self.missing) - set(self.inputs)):
            raise ValueError(f"missing names {other}, which inputs does not")
        if self.module == "image" and self.missing:
            raise ValueError(
                "missing has no effect with module image: there is nothing to put in a picture's place"
            )
        if self.module in BUILT_IN and len(self.inputs) != 1:
            raise ValueError(f"module {self.module} reads one input; write a preprocessing_fn for several")
        return self
