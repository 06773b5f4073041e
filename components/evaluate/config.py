"""Configuration of the Evaluator gate."""

from typing import Literal

from pydantic import Field, model_validator

from components.config import Section

Metric = Literal["accuracy", "balanced_accuracy", "precision", "recall", "f1", "auc", "loss"]
LOWER_IS_BETTER = frozenset({"loss"})


class Threshold(Section):
    """One requirement on one metric.

    It holds for all examples together and, with `slices`, for each value of the features named there. At least
    one of the bounds must be given. `max_drop` compares with the latest released model: how much worse the
    candidate may be (0 = not worse at all; a negative number demands an improvement).
    """

    metric: Metric = "accuracy"
    class_name: str | None = Field(
        None,
        description="for precision, recall, f1 and auc: the class; without it, the mean over all classes",
    )
    lower_bound: float | None = Field(None, description="the lowest value that passes (not for loss)")
    upper_bound: float | None = Field(None, description="the highest value that passes (loss only)")
    max_drop: float | None = Field(None, description="how much worse than the latest release it may be")
    slices: tuple[str, ...] = Field((), description="features of which each value must pass on its own")
    overall: bool = Field(True, description="whether the requirement holds for all examples together")

    @model_validator(mode="after")
    def _bounds_fit(self) -> "Threshold":
        if self.lower_bound is None and self.upper_bound is None and self.max_drop is None:
            raise ValueError(
                f"the threshold on {self.metric} has no bound: give lower_bound, upper_bound or max_drop"
            )
        wrong = "lower_bound" if self.metric in LOWER_IS_BETTER else "upper_bound"
        if getattr(self, wrong) is not None:
            side = "lower" if self.metric in LOWER_IS_BETTER else "higher"
            raise ValueError(
                f"{wrong} does not fit {self.metric}, where {side} is better: give the other bound"
            )
        share = self.metric not in LOWER_IS_BETTER
        if share and self.lower_bound is not None and not 0 <= self.lower_bound <= 1:
            raise ValueError(f"lower_bound of {self.metric} is between 0 and 1, not {self.lower_bound:g}")
        if share and self.max_drop is not None and not -1 <= self.max_drop <= 1:
            raise ValueError(f"max_drop of {self.metric} is between -1 and 1, not {self.max_drop:g}")
        if self.class_name is not None and self.metric in ("accuracy", "balanced_accuracy", "loss"):
            raise ValueError(f"class_name does not fit {self.metric}, which is about all classes")
        if not self.overall and not self.slices:
            raise ValueError(
                f"the threshold on {self.metric} applies to nothing: name slices, or leave overall true"
            )
        return self

    @property
    def bound(self) -> float | None:
        """The absolute bound, on the side that fits the metric; None if there is none."""
        return self.upper_bound if self.metric in LOWER_IS_BETTER else self.lower_bound

    @property
    def name(self) -> str:
        """The metric's name in a verdict, with its class if it has one."""
        return f"{self.metric} of {self.class_name}" if self.class_name else self.metric


class Waiver(Section):
    """Leave to release a model that cannot be compared with the latest release, recorded with the new one.

    It counts for that version only, and only where the comparison cannot be made.
    """

    version: int = Field(ge=1, description="the released version that is not compared with")
    reason: str = Field(min_length=1, description="why that is right, for those who read it later")


class EvaluateConfig(Section):
    """Gate 1: what a candidate must reach to be released.

    `split` is the split that is judged: `test` if there is one, else `eval`. Every value is reported with its 95 %
    interval. A drop against the latest release fails only if it is more than chance, which is judged example by example
    (exact McNemar test for shares); where the examples are too few to tell, the check is undecided.
    """

    thresholds: tuple[Threshold, ...] = Field(
        description="requirements, absolute and against the latest release; at least one"
    )
    slices: tuple[str, ...] = Field((), description="more features to report by, without a requirement")
    min_examples: int = Field(30, ge=1, description="a slice with fewer examples than this decides nothing")
    undecided: Literal["pass", "refuse"] = Field(
        "pass", description="what becomes of a comparison that the examples are too few for"
    )
    baseline_waiver: Waiver | None = Field(
        None, description="if the latest release cannot run on this data: its version, and why that is right"
    )
    batch_size: int = Field(256, ge=1, description="examples per batch of predictions")
    split: str | None = Field(None, description="the split to judge on (default: test, else eval)")

    @model_validator(mode="after")
    def _some_threshold(self) -> "EvaluateConfig":
        if not self.thresholds:
            raise ValueError("a gate without a threshold would pass anything: give at least one")
        return self

    @property
    def slice_features(self) -> tuple[str, ...]:
        """All features to slice by, with a requirement or only reported, in order of appearance."""
        named = [feature for threshold in self.thresholds for feature in threshold.slices]
        return tuple(dict.fromkeys([*named, *self.slices]))
