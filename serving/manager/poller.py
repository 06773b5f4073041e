"""Looks for versions, in a separate thread for each model, without a time limit.

Thus a base path that hangs (a mounted disk, an object store that accepts connections but never answers) blocks nothing
else. The threads are daemons, so that it does not even block the server's shutdown.
"""

import threading
from collections.abc import Callable

from serving.manager.model_config import ServedModel
from serving.manager.source import find_versions

Found = dict[int, str] | Exception


class Poller:
    """Looks for the versions of models.

    Args:
        found: called with the result, in the polling thread.
    """

    def __init__(self, found: Callable[[ServedModel, Found], None]) -> None:
        self._found = found
        self._lock = threading.Lock()
        self._looking: dict[str, ServedModel] = {}

    def look(self, config: ServedModel) -> None:
        """Start to look, unless it is still looking for the same configuration."""
        with self._lock:
            if self._looking.get(config.name) is config:
                return
            self._looking[config.name] = config
        threading.Thread(target=self._look, args=(config,), name="model-poll", daemon=True).start()

    def _look(self, config: ServedModel) -> None:
        found: Found
        try:
            found = find_versions(config.base_path)
        except Exception as error:  # clients of object stores raise more than OSError
            found = error
        with self._lock:
            if self._looking.get(config.name) is config:
                del self._looking[config.name]
        self._found(config, found)
