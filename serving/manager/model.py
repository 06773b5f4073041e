"""A configured model: its configuration and its versions."""

import logging
from collections.abc import Iterable

from serving.errors import Code, ServingError
from serving.manager import plan
from serving.manager.model_config import ServedModel
from serving.manager.state import Version, VersionState
from serving.messages.text_config import ServerConfigError

log = logging.getLogger("slipway.models")


class Model:
    """A configured model and its versions."""

    def __init__(self, config: ServedModel) -> None:
        self.config = config
        self.versions: dict[int, Version] = {}
        self.latest: Version | None = None
        self.polled = False
        self.trouble = ""

    def check(self, config: ServedModel) -> None:
        """Raise ServerConfigError if the configuration must not be changed to this one."""
        if self.config.base_path and self.config.platform != config.platform:
            raise ServerConfigError(
                f"Illegal to change a model's platform. For model {config.name} platform was "
                f"{self.config.platform} and new platform requested is {config.platform}"
            )

    @property
    def settled(self) -> bool:
        """Whether it is available, with the versions that labels point to, or has failed."""
        wanted = [version for version in self.versions.values() if version.aspired]
        if self.latest is None:
            return bool(wanted) and all(version.state is VersionState.END for version in wanted)
        loading = {
            version.number
            for version in wanted
            if version.state in (VersionState.START, VersionState.LOADING)
        }
        return loading.isdisjoint(self.config.labels.values())

    def refresh(self) -> None:
        """Update the newest available version, which requests without a version get."""
        ready = [version for version in self.versions.values() if version.state is VersionState.AVAILABLE]
        self.latest = max(ready, key=lambda version: version.number, default=None)

    def note(self, found: dict[int, str] | Exception) -> None:
        """Apply the result of a poll. A base path that cannot be listed changes nothing."""
        name = self.config.name
        if isinstance(found, Exception):
            if str(found) != self.trouble:
                log.warning("model %s: cannot list versions: %s", name, found)
                self.trouble = str(found)
            return
        if self.trouble:
            log.info("model %s: the versions in %s can be listed again", name, self.config.base_path)
        wanted = self.config.policy.choose(list(found))
        missing = sorted(set(self.config.policy.versions) - found.keys())
        trouble = f"versions {missing} are configured but not in {self.config.base_path}" if missing else ""
        if trouble and trouble != self.trouble:
            log.warning("model %s: %s", name, trouble)
        self.trouble = trouble
        self.polled = True
        plan.aspire(name, self.versions, {number: found[number] for number in wanted})


def failure(models: Iterable[Model]) -> ServingError | None:
    """Return an error that names the models that are not available; None if all are."""
    failed = [model for model in models if model.latest is None]
    if not failed:
        return None
    errors = [
        f"{model.config.name}: {version.error.message}"
        for model in failed
        for version in model.versions.values()
        if version.error
    ]
    said = "; ".join(errors) or ", ".join(model.config.name for model in failed)
    return ServingError(Code.UNKNOWN, f"{len(failed)} model(s) did not become available: {{{said}}}")
