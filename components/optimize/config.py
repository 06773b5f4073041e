"""The `optimize:` section: which variants are built, what they may lose, and how one of them is picked."""

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from components.config import Section

Objective = Literal["latency", "size", "quality"]

#: In the order of their complexity. Joined by + they are a chain, such as `distilled+int8`.
BUILT_IN = (
    "saved_model",
    "litert",
    "float16",
    "int8_dynamic",
    "int8",
    "int16x8",
    "frozen",
    "xla",
    "tensorrt",
    "pruned",
    "clustered",
    "qat",
    "distilled",
)


class FineTune(Section):
    """Further training of pruned, clustered and quantization-aware models, on the training examples."""

    epochs: int = Field(3, ge=1)
    learning_rate: float = Field(3e-4, gt=0, description="of Adam")
    batch_size: int = Field(64, ge=1)


class Pruned(Section):
    """Weights set to zero by magnitude."""

    sparsity: float = Field(0.8, gt=0, lt=1, description="share of zeros in the end (magnitude)")
    pattern: Literal["magnitude", "2:4"] = Field(
        "magnitude", description="2:4: two of every four adjacent weights"
    )


class Clustered(Section):
    """Weights shared: each layer keeps only a few different values, so the file compresses well."""

    clusters: int = Field(16, ge=2)


class Distilled(Section):
    """A smaller student, trained on the teacher's probabilities and on the labels."""

    width: float = Field(
        0.5, gt=0, le=1, description="units, filters and embeddings, as a fraction of the teacher's"
    )
    epochs: int = Field(10, ge=1)
    learning_rate: float = Field(1e-3, gt=0, description="of Adam")
    batch_size: int = Field(64, ge=1)
    temperature: float = Field(
        2.0,
        ge=1,
        description="above 1, the student learns more about which classes the teacher finds similar",
    )
    teacher_share: float = Field(
        0.7, ge=0, le=1, description="weight of the teacher's answers; the labels have the rest"
    )
    module: str | None = Field(None, description="a .py file with build_model(…), for a student of your own")


class Budgets(Section):
    """Limits of a variant; one that exceeds any is not picked. Latencies are from raw features to answers."""

    max_bytes: int | None = Field(None, ge=1, description="of all files of the release")
    max_gzip_bytes: int | None = Field(None, ge=1, description="the same, compressed")
    max_p50_us: float | None = Field(None, gt=0, description="median of one example at a time, microseconds")
    max_p99_us: float | None = Field(None, gt=0, description="99th percentile of the same")
    min_examples_per_second: float | None = Field(None, gt=0, description="32 examples a call, one thread")


class OptimizeConfig(Section):
    """Gate 2: the variants, what they may lose against the float model, and how one of them is picked.

    Every variant is judged by the metrics, slices and absolute bounds of `evaluate.thresholds`; how much it may
    lose against its float parent is `max_drop` on all examples and `max_slice_drop` on a slice.
    """

    enabled: bool = True
    techniques: tuple[str, ...] = Field(
        ("float16", "int8_dynamic", "int8"),
        min_length=1,
        description="names, or chains such as distilled+int8",
    )
    modules: dict[str, str] = Field({}, description="your own techniques: name → .py file with build(…)")
    objective: Objective = "latency"
    tie: float = Field(
        0.05, ge=0, lt=1, description="among variants within this share of the best, the simplest is picked"
    )
    max_drop: float = Field(0.01, ge=0, description="what a metric may lose on all examples")
    max_slice_drop: float = Field(0.01, ge=0, description="what a metric may lose on a slice")
    min_agreement: float | None = Field(
        None, ge=0, le=1, description="lowest share of answers equal to the parent's"
    )
    budgets: Budgets = Budgets()
    on_failure: Literal["float", "stop"] = Field("float", description="when no variant passes")
    calibration_examples: int = Field(200, ge=1, description="training examples that int8 is calibrated on")
    measured_seconds: float = Field(
        0.25, gt=0, description="how long each variant is measured, at batch 1 and again at 32"
    )
    fine_tune: FineTune = FineTune()
    pruned: Pruned = Pruned()
    clustered: Clustered = Clustered()
    distilled: Distilled = Distilled()
    seed: int = Field(1, ge=0)

    @field_validator("modules")
    @classmethod
    def _named_well(cls, modules: dict[str, str]) -> dict[str, str]:
        for name, path in modules.items():
            if name in BUILT_IN or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
                raise ValueError(
                    f"{name!r} must be in lower-case letters, digits and _, and not be a built-in name"
                )
            if not path.endswith(".py"):
                raise ValueError(f"{name}: {path} is not a .py file")
        return modules

    @model_validator(mode="after")
    def _known(self) -> "OptimizeConfig":
        known = [*BUILT_IN, *self.modules]
        for chain in self.techniques:
            for name in chain.split("+"):
                if name not in known:
                    raise ValueError(
                        f"optimize.techniques: {chain!r}: {name!r} is not one of {', '.join(known)}"
                    )
        if len(set(self.techniques)) < len(self.techniques):
            raise ValueError("optimize.techniques names one twice")
        return self
