import pytest

from serving.private import require


class Library:
    def __init__(self) -> None:
        self._set = 1

    def _method(self) -> None: ...


def test_what_is_there_is_accepted() -> None:
    require(Library, "_set", "_method", why="in a test")


def test_what_is_gone_is_named() -> None:
    with pytest.raises(
        ImportError, match=r"test_private\.Library no longer has _gone, .* uses in a test; install"
    ):
        require(Library, "_set", "_gone", why="in a test")
