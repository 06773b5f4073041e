"""The configuration of models: their paths, versions, labels and request logs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from serving.messages.protos import model_server_config_pb2 as pb
from serving.messages.text_config import ServerConfigError, read_text
from serving.ops.request_log import RequestLogging


@dataclass(frozen=True)
class VersionPolicy:
    """Which of the existing versions to load: the `latest` few (`number`), `all`, or `specific` ones."""

    kind: Literal["latest", "all", "specific"] = "latest"
    number: int = 1
    versions: tuple[int, ...] = ()

    def choose(self, found: list[int]) -> list[int]:
        """Return the versions to load of those found."""
        if self.kind == "all":
            return sorted(found)
        if self.kind == "specific":
            return sorted(set(found) & set(self.versions))
        return sorted(found)[-self.number :]


@dataclass(frozen=True)
class ServedModel:
    """The configuration of one model."""

    name: str
    base_path: str
    policy: VersionPolicy = VersionPolicy()
    labels: Mapping[str, int] = field(default_factory=dict)
    logging: RequestLogging | None = None
    platform: str = "tensorflow"


def read_model_config(path: str) -> list[ServedModel]:
    """Return the models of a ModelServerConfig file.

    Raises:
        ServerConfigError: the file cannot be read, or the configuration is invalid.
    """
    return from_message(read_text(path, pb.ModelServerConfig()))


def from_message(message: Any) -> list[ServedModel]:
    """Return the models of a ModelServerConfig message.

    Raises:
        ServerConfigError: the configuration is invalid.
    """
    if message.WhichOneof("config") == "custom_model_config":
        raise ServerConfigError(
            "ServerModelConfig type not supported; only ModelConfigList is currently supported"
        )
    models = [_model(entry) for entry in message.model_config_list.config]
    validate(models)
    return models


def request_logging(models: Iterable[ServedModel]) -> dict[str, RequestLogging]:
    """Return the request logging of the models that have it, by their names."""
    return {model.name: model.logging for model in models if model.logging}


def validate(models: list[ServedModel]) -> None:
    """Raise ServerConfigError for a duplicate name or a relative base path."""
    seen: set[str] = set()
    for model in models:
        if model.name in seen:
            raise ServerConfigError(f"Illegal to list model {model.name} multiple times in config list")
        seen.add(model.name)
        if not model.base_path.startswith("/") and not urlsplit(model.base_path).scheme:
            raise ServerConfigError(
                f"Expected model {model.name} to have an absolute path or URI; got "
                f"base_path()={model.base_path}"
            )


def _model(entry: Any) -> ServedModel:
    if entry.model_type and entry.model_platform:
        raise ServerConfigError(
            "Illegal setting both ModelServerConfig::model_type (deprecated) and "
            f"ModelServerConfig::model_platform, model name is {entry.name}"
        )
    platform = entry.model_platform or ("tensorflow" if entry.model_type == pb.TENSORFLOW else "")
    if not platform:
        raise ServerConfigError(
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
            f"ModelServerConfig::model_platform, model name is {entry.name}"
        )
    if platform != "tensorflow":
        raise ServerConfigError(
            f"model {entry.name}: model_platform '{platform}' is not supported; use 'tensorflow'"
        )
    return ServedModel(
        entry.name, entry.base_path, _policy(entry), dict(entry.version_labels), _logging(entry), platform
    )


def _policy(entry: Any) -> VersionPolicy:
    policy = entry.model_version_policy
    kind = policy.WhichOneof("policy_choice") or "latest"
    if kind == "specific":
        versions = tuple(policy.specific.versions)
        if not versions:
            raise ServerConfigError(f"model {entry.name}: the specific version policy names no versions")
        return VersionPolicy("specific", versions=versions)
    if kind == "all":
        return VersionPolicy("all")
    return VersionPolicy("latest", number=policy.latest.num_versions or 1)


def _logging(entry: Any) -> RequestLogging | None:
    if not entry.HasField("logging_config"):
        return None
    config = entry.logging_config
    prefix = config.log_collector_config.filename_prefix
    rate = config.sampling_config.sampling_rate
    if not prefix:
        raise ServerConfigError(
            f"model {entry.name}: logging_config needs log_collector_config.filename_prefix"
        )
    if not 0 <= rate <= 1:
        raise ServerConfigError(f"model {entry.name}: sampling_rate must be between 0 and 1, not {rate}")
    return RequestLogging(prefix, rate)
