"""Looks for versions, each model in a thread of its own for as long as it takes.

A place that hangs (a mounted disk, an object store that accepts and never answers) thus keeps nothing else waiting.
The threads are daemons: not even the server's end waits for such a place.
"""

import threading
from collections.abc import Callable

from serving.manager.model_config import ServedModel
from serving.manager.source import find_versions

Found = dict[int, str] | Exception


class Poller:
    """Looks for the versions of models.

    Args:
        found: told what was found, in the thread that has looked.
    """

    def __init__(self, found: Callable[[ServedModel, Found], None]) -> None:
        self._found = found
        self._lock = threading.Lock()
        self._looking: dict[str, ServedModel] = {}

    def look(self, config: ServedModel) -> None:
        """Begins to look, unless it is still looking for the same."""
        with self._lock:
            if self._looking.get(config.name) is config:
                return
            self._looking[config.name] = config
        threading.Thread(target=self._look, args=(config,), name="model-poll", daemon=True).start()

    def _look(self, config: ServedModel) -> None:
        found: Found
        try:
            found = find_versions(config.base_path)
        except Exception as error:  # object stores' clients have kinds of their own beside OSError
            found = error
        with self._lock:
            if self._looking.get(config.name) is config:
                del self._looking[config.name]
        self._found(config, found)
