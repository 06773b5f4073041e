"""A configured model: its configuration and its versions."""

import logging
import time

from serving.manager import plan
from serving.manager.model_config import ServedModel
from serving.manager.state import Version, VersionState
from serving.messages.text_config import ServerConfigError

log = logging.getLogger("slipway.models")

_LOOKING_SECONDS = 5.0


class Model:
    """A configured model and its versions.

    Attributes:
        config: its configuration; without a base path once it is configured no more.
        versions: by number; those that have ended are kept for their status.
        latest: the newest available version, which requests without a version get.
        required: whether the server is ready only with it: it was configured at the start, or was once available. A
            new one that is still to come, or never will, must not take a healthy server out of service.
    """

    def __init__(self, config: ServedModel, *, required: bool) -> None:
        self.versions: dict[int, Version] = {}
        self.latest: Version | None = None
        self.begin(config, required=required)

    def begin(self, config: ServedModel, *, required: bool) -> None:
        """Become a model that has just been configured, whatever it was before."""
        self.config = config
        self.required = required
        self._wanted: dict[int, str] | None = None
        self._begun = time.monotonic()
        self._trouble = ""

    def end(self) -> None:
        """Become a model that is configured no more: its versions are unloaded."""
        self.begin(ServedModel(self.config.name, ""), required=False)
        plan.aspire(self.config.name, self.versions, {})

    def check(self, config: ServedModel) -> None:
        """Raise ServerConfigError if the configuration must not be changed to this one."""
        if self.config.base_path and self.config.platform != config.platform:
            raise ServerConfigError(
                f"Illegal to change a model's platform. For model {config.name} platform was "
                f"{self.config.platform} and new platform requested is {config.platform}"
            )

    @property
    def available(self) -> bool:
        """Whether one of the versions that it should have is available."""
        return any(v.aspired and v.state is VersionState.AVAILABLE for v in self.versions.values())

    @property
    def settled(self) -> bool:
        """Whether it is available, with the versions that labels point to, or has failed."""
        if self.available:
            return not any(v.number in self.config.labels.values() for v in self._coming())
        aspired = [version for version in self.versions.values() if version.aspired]
        return (
            bool(aspired)
            and {version.number for version in aspired} == set(self._wanted or ())
            and all(version.state is VersionState.END for version in aspired)
        )

    @property
    def in_progress(self) -> bool:
        """Whether its versions are being looked for or loaded: not if they are not there, or the place hangs."""
        if self._wanted is None:
            return not self._trouble and time.monotonic() - self._begun < _LOOKING_SECONDS
        return bool(self._coming())

    def refresh(self) -> None:
        """Update the newest available version."""
        ready = [version for version in self.versions.values() if version.state is VersionState.AVAILABLE]
        self.latest = max(ready, key=lambda version: version.number, default=None)
        self.required |= self.available

    def aspire(self) -> None:
        """Have the versions that the last look found: again, too, where one of them had to be unloaded first."""
        if self._wanted is not None:
            plan.aspire(self.config.name, self.versions, self._wanted)

    def note(self, found: dict[int, str] | Exception) -> None:
        """Apply the result of a poll. A base path that cannot be listed changes nothing."""
        name = self.config.name
        if isinstance(found, Exception):
            if str(found) != self._trouble:
                log.warning("model %s: cannot list versions: %s", name, found)
                self._trouble = str(found) or type(found).__name__
            return
        if self._trouble:
            log.info("model %s: the versions in %s can be listed again", name, self.config.base_path)
        wanted = self.config.policy.choose(list(found))
        missing = sorted(set(self.config.policy.versions) - found.keys())
        trouble = f"versions {missing} are configured but not in {self.config.base_path}" if missing else ""
        if trouble and trouble != self._trouble:
            log.warning("model %s: %s", name, trouble)
        self._trouble = trouble
        self._wanted = {number: found[number] for number in wanted}
        self.aspire()

    def _coming(self) -> list[Version]:
        """Return the versions that it should have and that are not loaded yet."""
        on_the_way = (VersionState.START, VersionState.LOADING, VersionState.UNLOADING)
        return [
            version
            for number in self._wanted or ()
            if (version := self.versions.get(number)) and version.state in on_the_way
        ]
