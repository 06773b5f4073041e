"""The latest release as a model to compare with: whether that can be done rightly, and what to know about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tensorflow_metadata.proto.v0 import schema_pb2

from components.evaluate.config import Waiver
from components.listing import listed
from components.raw import without_values
from components.verdict import Check
from serving.engine.base import Engine
from serving.engine.open import EngineOptions, open_engine
from serving.engine.signature import DEFAULT_SIGNATURE
from serving.release.record import RELEASE_FILE, Release, parse_release

#: TensorFlow's names of the types that a schema's types are served as.
DTYPES = {schema_pb2.BYTES: "DT_STRING", schema_pb2.INT: "DT_INT64", schema_pb2.FLOAT: "DT_FLOAT"}


@dataclass(frozen=True)
class Released:
    """A release that was fetched, and its model as the server loads it."""

    release: Release
    engine: Engine

    @property
    def name(self) -> str:
        """How it is called in verdicts."""
        return f"version {self.release.version}"

    def classes(self, otherwise: Sequence[str]) -> list[str]:
        """Return its classes in the order of its answers; `otherwise` if it is too old to record them."""
        return self.release.classes or list(otherwise)


def open_released(folder: Path) -> Released:
    """Open a release that was fetched."""
    record = folder / RELEASE_FILE
    return Released(parse_release(record.read_bytes(), str(record)), open_engine(folder, EngineOptions()))


def obstacle(released: Released, files: Sequence[str], schema: Any, classes: Sequence[str]) -> str:
    """Say why a release cannot be compared on this data, as far as that is known before it runs; "" if it is not.

    Args:
        released: the release.
        files: gzipped TFRecord files of the raw examples to judge on.
        schema: of the raw examples.
        classes: the candidate's.
    """
    types = {feature.name: DTYPES.get(feature.type, "") for feature in schema.feature}
    inputs = {name: spec.dtype for name, spec in released.engine.signatures[DEFAULT_SIGNATURE].inputs.items()}
    # A schema can know a column that the data has no more.
    if gone := without_values(files, inputs):
        return f"it reads {listed(gone)}, of which the data has no value any more"
    if changed := [
        f"{name} ({dtype}, now {types[name]})"
        for name, dtype in inputs.items()
        if types.get(name, dtype) != dtype
    ]:
        return f"the type of what it reads has changed: {listed(changed)}"
    own = released.classes(classes)
    if len(common := [name for name in own if name in classes]) < 2:
        return f"it knows the classes {listed(own)}, of which the data has {listed(common) or 'none'}"
    return ""


def comparison_check(released: Released, reason: str, waiver: Waiver | None) -> Check:
    """Refuse a candidate that cannot be compared with the release, unless the configuration waives that."""
    metric, reason = f"comparison with {released.name}", reason.rstrip(".")
    if waiver and waiver.version == released.release.version:
        message = f"{reason}. Waived by evaluate.baseline_waiver, because: {waiver.reason}"
        return Check(metric=metric, status="undecided", message=message)
    ways = (
        "mend the data or the configuration, so that it can run; or, if that is right, release without comparing: "
        f"evaluate.baseline_waiver: {{version: {released.release.version}, reason: …}}"
    )
    return Check(metric=metric, status="failed", message=f"{reason}. Ways out: {ways}")


def remarks(released: Released, classes: Sequence[str], split_rule: Mapping[str, Any]) -> list[str]:
    """Say what is to be known of a comparison that was made: other classes, another split.

    Args:
        released: the release compared with.
        classes: the candidate's.
        split_rule: how this data was split; see `components.ingest.split`.
    """
    said = []
    own = released.classes(classes)
    new, gone = [n for n in classes if n not in own], [n for n in own if n not in classes]
    if new or gone:
        parts = [f"{listed(names)} {what}" for names, what in ((new, "new"), (gone, "gone")) if names]
        said.append(
            f"the classes are others than those of {released.name} ({'; '.join(parts)}): compared on the examples "
            "whose class both know"
        )
    if released.release.split is None:
        said.append(
            f"{released.name} does not record how its data was split: it may have been trained on examples of this "
            "comparison, which would favour it"
        )
    elif released.release.split != dict(split_rule):
        said.append(
            f"the data is split by another rule than for {released.name}: it may have been trained on examples of this "
            "comparison, which would favour it"
        )
    return said
