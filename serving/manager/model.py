"""A configured model: what it is, and the versions it has."""

import logging

from serving.manager import plan
from serving.manager.state import State, Version
from serving.model_config import ModelConfig

log = logging.getLogger("slipway.models")


class Model:
    """A configured model and its versions."""

    def __init__(self, config: ModelConfig) -> None:
        self.config = config
        self.versions: dict[int, Version] = {}
        self.latest: Version | None = None
        self.polled = False
        self.trouble = ""

    def refresh(self) -> None:
        """Notes the newest available version, which requests without a version get."""
        ready = [version for version in self.versions.values() if version.state is State.AVAILABLE]
        self.latest = max(ready, key=lambda version: version.number, default=None)

    def note(self, found: dict[int, str] | Exception) -> None:
        """Takes in what a poll found. A place that cannot be looked into changes nothing."""
        name = self.config.name
        if isinstance(found, Exception):
            if str(found) != self.trouble:
                log.warning("model %s: cannot look for versions: %s", name, found)
                self.trouble = str(found)
            return
        if self.trouble:
            log.info("model %s: %s can be looked into again", name, self.config.base_path)
        wanted = self.config.policy.choose(list(found))
        missing = sorted(set(self.config.policy.versions) - found.keys())
        trouble = f"versions {missing} are configured and not in {self.config.base_path}" if missing else ""
        if trouble and trouble != self.trouble:
            log.warning("model %s: %s", name, trouble)
        self.trouble = trouble
        self.polled = True
        plan.aspire(name, self.versions, {number: found[number] for number in wanted})
