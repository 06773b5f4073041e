"""Configuration of the schema and of what is compared with it."""

from pydantic import Field, model_validator

from components.config import Section


class Comparator(Section):
    """How far a feature's distribution may move, in TFDV's terms; exactly one threshold.

    `infinity_norm` suits categories (the largest change of any one share), `jensen_shannon_divergence` numbers.
    """

    infinity_norm: float | None = Field(None, gt=0, le=1)
    jensen_shannon_divergence: float | None = Field(None, gt=0, le=1)

    @model_validator(mode="after")
    def _one(self) -> "Comparator":
        if (self.infinity_norm is None) == (self.jensen_shannon_divergence is None):
            raise ValueError("give exactly one of infinity_norm and jensen_shannon_divergence")
        return self


class SchemaConfig(Section):
    """Where the reviewed schema is, and the comparators that are added to it."""

    path: str | None = Field(
        None, description="the reviewed schema, text format (default: data/schemas/<model_name>.pbtxt)"
    )
    skew_comparators: dict[str, Comparator] = Field(
        {}, description="by feature: training examples against serving_statistics"
    )
    drift_comparators: dict[str, Comparator] = Field(
        {}, description="by feature: training examples against previous_statistics"
    )
    serving_statistics: str | None = Field(None, description="TFDV statistics file of served requests")
    previous_statistics: str | None = Field(None, description="TFDV statistics file of an earlier data set")

    @model_validator(mode="after")
    def _statistics_for_comparators(self) -> "SchemaConfig":
        for kind, source in (("skew", "serving_statistics"), ("drift", "previous_statistics")):
            if getattr(self, f"{kind}_comparators") and not getattr(self, source):
                raise ValueError(f"{kind}_comparators compare with nothing: give {source} too")
        return self
