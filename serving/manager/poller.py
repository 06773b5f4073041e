"""Looks for versions, in a separate thread for each base path, without a time limit.

Thus a base path that hangs (a mounted disk, an object store that accepts connections but never answers) blocks nothing
else. The threads are daemons, so that it does not even block the server's shutdown.
"""

import threading
from collections.abc import Callable

from serving.manager.source import find_versions

Found = dict[int, str] | Exception


class Poller:
    """Looks for the versions of models.

    Args:
        found: called with the model's name, its base path and the result, in the polling thread.
    """

    def __init__(self, found: Callable[[str, str, Found], None]) -> None:
        self._found = found
        self._lock = threading.Lock()
        self._looking: set[tuple[str, str]] = set()

    def look(self, name: str, base_path: str) -> None:
        """Start to look for a model's versions, unless it is still looking for them there."""
        place = (name, base_path)
        with self._lock:
            if place in self._looking:
                return
            threading.Thread(target=self._look, args=place, name="model-poll", daemon=True).start()
            self._looking.add(place)

    def _look(self, name: str, base_path: str) -> None:
        found: Found
        try:
            found = find_versions(base_path)
        except Exception as error:  # clients of object stores raise more than OSError
            found = error
        with self._lock:
            self._looking.discard((name, base_path))
        self._found(name, base_path, found)
