"""The configuration: one YAML file per model, parsed into frozen types before anything runs."""

import os
import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from components.canary.config import CanaryConfig
from components.config import Section
from components.evaluate.config import EvaluateConfig
from components.ingest.config import DataConfig
from components.optimize.config import OptimizeConfig
from components.preprocess.config import PreprocessConfig
from components.push.config import PushConfig
from components.schema.config import SchemaConfig
from components.train.config import ModelConfig, TrainConfig
from pipeline import mistakes, renamed
from pipeline.beam import BeamConfig
from pipeline.kubeflow.config import KubeflowConfig
from serving.errors import UserError


class ConfigError(UserError, ValueError):
    """The configuration is invalid; the message names the file, the field and what to do."""


class ServeConfig(Section):
    """The demonstration after a push: the model is served, and predictions are requested."""

    examples: int = Field(8, ge=0, description="real examples sent to it; 0 leaves the demonstration out")


class Config(Section):
    """Everything about one model: where its data is, how it is made, what it must reach, where it goes."""

    model_name: str = Field(description="the model's folder in the bucket, and its name in the server")
    data: DataConfig
    schema_: SchemaConfig = Field(SchemaConfig(), alias="schema")
    preprocess: PreprocessConfig
    model: ModelConfig
    train: TrainConfig = TrainConfig()
    evaluate: EvaluateConfig
    optimize: OptimizeConfig = OptimizeConfig()
    canary: CanaryConfig = CanaryConfig()
    push: PushConfig
    serve: ServeConfig = ServeConfig()
    kubeflow: KubeflowConfig = KubeflowConfig()
    beam: BeamConfig = BeamConfig()
    pipeline_root: str = Field("artifacts", description="where TFX keeps artifacts and metadata, by model")
    checkpoints: str | None = Field(
        None,
        description="where training keeps its state between epochs, to continue after it was killed; null: in "
        "pipeline_root. On Kubeflow, name a folder on one of kubeflow.volumes, or a retried training starts over",
    )
    runs: str = Field("runs", description="where every run keeps its log and summary")

    @field_validator("model_name")
    @classmethod
    def _plain_name(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,99}", name):
            raise ValueError(
                "model_name must be a letter, followed by at most 99 letters, digits, - and _: it becomes a folder "
                "and a URL"
            )
        return name

    @model_validator(mode="after")
    def _parts_fit(self) -> "Config":
        if self.data.label in self.preprocess.inputs:
            raise ValueError(
                f"preprocess.inputs contains the label {self.data.label!r}: the model would read the answer"
            )
        if self.data.format in ("images", "idx") and self.preprocess.inputs != ("image",):
            raise ValueError(f"preprocess.inputs must be [image]: that is what format {self.data.format} has")
        classes = self.data.classes
        for threshold in self.evaluate.thresholds:
            if classes and threshold.class_name is not None and threshold.class_name not in classes:
                raise ValueError(
                    f"evaluate.thresholds: class_name {threshold.class_name!r} is not in data.classes {classes}"
                )
        if self.evaluate.split and self.evaluate.split not in self.data.split_names():
            raise ValueError(
                f"evaluate.split is {self.evaluate.split!r}, but the data is split into {self.data.split_names()}"
            )
        return self

    @property
    def root(self) -> Path:
        """The model's own folder under the pipeline root."""
        return Path(self.pipeline_root) / self.model_name

    @property
    def checkpoint_folder(self) -> Path:
        """Where training keeps its state between epochs."""
        return Path(self.checkpoints) if self.checkpoints else self.root / "checkpoints"

    @property
    def schema_path(self) -> Path:
        """Where the reviewed schema is, or is to be."""
        return Path(self.schema_.path or f"data/schemas/{self.model_name}.pbtxt")

    @property
    def inferred_schema_path(self) -> Path:
        """Where the schema of the first run is kept until it has been reviewed."""
        return self.root / "inferred_schema.pbtxt"

    @property
    def read_columns(self) -> dict[str, str]:
        """The raw columns that some stage reads, each with the key that names it; any other may change freely."""
        compared = (*self.schema_.skew_comparators, *self.schema_.drift_comparators)
        return {
            **dict.fromkeys(compared, "the comparators of schema"),
            **dict.fromkeys(self.evaluate.slice_features, "the slices of evaluate"),
            **dict.fromkeys(self.preprocess.inputs, "preprocess.inputs"),
            self.data.label: "data.label",
        }

    @property
    def named_classes(self) -> dict[str, str]:
        """The classes that other sections name, each with the key that names it."""
        weights = self.train.class_weights
        judged = [one.class_name for one in self.evaluate.thresholds if one.class_name is not None]
        return {
            **dict.fromkeys(weights if isinstance(weights, dict) else (), "train.class_weights"),
            **dict.fromkeys(judged, "evaluate.thresholds"),
        }

    @property
    def evaluation_split(self) -> str:
        """The split that the gates judge on."""
        return self.evaluate.split or ("test" if "test" in self.data.split_names() else "eval")


class _UniqueKeys(yaml.SafeLoader):
    """YAML as `safe_load` reads it, but a key that is there twice is an error: one of the two would be ignored."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} is there twice: remove one of them", key.start_mark
                )
            seen.add(key.value)
        return dict(super().construct_mapping(node, deep))


def load_config(path: str | os.PathLike[str], overrides: list[str] | None = None) -> Config:
    """Read a configuration.

    Args:
        path: the YAML file; relative paths in it start at the working folder, and those after `~/` in the home folder.
        overrides: `key.sub_key=value`, the value in YAML, as the command line's `--set` gives them.

    Raises:
        ConfigError: with every mistake, each with its field, and the nearest valid key for a misspelt one.
    """
    try:
        loader = _UniqueKeys(Path(path).expanduser().read_text(encoding="utf-8-sig"))
        loader.name = str(path)  # for the errors, which name line and column in it
        raw = loader.get_single_data()
    except FileNotFoundError:
        known = ", ".join(sorted(str(p) for p in Path("configs").glob("*.yaml"))) or "none in configs/"
        raise ConfigError(f"{path}: no such file (there are: {known})") from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: a folder; name the YAML file of one model") from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}: not UTF-8 ({error.reason}, byte {error.start}); save it as UTF-8"
        ) from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {mistakes.of_yaml(error)}") from error
    except RecursionError:
        raise ConfigError(f"{path}: not valid YAML for a configuration: it is nested too deep") from None
    return parse_config(raw, str(path), overrides)


def parse_config(raw: Any, source: str, overrides: list[str] | None = None) -> Config:
    """Check a configuration that was read already; `source` names it in messages, the rest is as in `load_config`."""
    if not isinstance(raw, dict):
        empty = "the file is empty; " if raw is None else ""
        raise ConfigError(
            f"{source}: {empty}a configuration is a mapping of sections, such as data: and model:"
        )
    try:
        renamed.move(raw, source)
        for override in overrides or []:
            _override(raw, override)
        renamed.move(raw, "--set")  # a mapping given there can hold old names too
        renamed.drop(raw, source)
    except renamed.BothNamesError as error:
        raise ConfigError(str(error)) from None
    # `train:` with nothing below it is a section of defaults.
    raw = {
        key: {} if value is None and mistakes.keys_at(Config, [str(key)]) else value
        for key, value in raw.items()
    }
    try:
        raw = _at_home(raw)
        return Config.model_validate(raw)
    except RecursionError:
        raise ConfigError(f"{source}: a value holds itself, by an anchor (&) and an alias (*)") from None
    except ValidationError as error:
        told = mistakes.told(error.errors(), Config)
        raise ConfigError("\n".join(f"{source}: {mistake}" for mistake in told)) from error


def _override(raw: dict[str, Any], override: str) -> None:
    name, equals, value = override.partition("=")
    *parents, last = renamed.current(name.strip(), "--set").split(".")
    if not equals or not last:
        raise ConfigError(f"--set {override!r}: write key.sub_key=value, such as train.epochs=1")
    for parent in parents:
        raw = raw.setdefault(parent, {})
        if not isinstance(raw, dict):
            raise ConfigError(f"--set {override!r}: {parent} is not a section")
    try:
        read = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(
            f"--set {override!r}: the value is not valid YAML: {mistakes.of_yaml(error)}"
        ) from error
    # A value with ` #` in it, as names of files have, is no comment here.
    cut = isinstance(read, str) and value.strip().startswith(f"{read} #")
    raw[last] = value.strip() if cut else read


def _at_home(part: Any) -> Any:
    """Put the home folder in the place of `~` wherever a value begins with `~/`: nothing but a path does."""
    if isinstance(part, dict):
        return {key: _at_home(value) for key, value in part.items()}
    if isinstance(part, list):
        return [_at_home(value) for value in part]
    return os.path.expanduser(part) if isinstance(part, str) and part.startswith("~/") else part  # noqa: PTH111
