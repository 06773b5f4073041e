"""Keys of the configuration that have another name today, or none: the old one still works, with a warning."""

import logging
from collections.abc import Mapping
from functools import cache
from typing import Any

from serving.errors import UserError

log = logging.getLogger("slipway.config")

#: The old path of a key or section → its path today, such as "train.rounds": "train.epochs". A line stays for good.
RENAMED: dict[str, str] = {}

#: The path of a key that there is no more → what became of it. A line stays for good.
REMOVED: dict[str, str] = {"evaluate.confidence_intervals": "every value has an interval now"}


class BothNamesError(UserError, ValueError):
    """A key is given under its old name and under its new one, and only one can be meant."""


def move(raw: dict[str, Any], source: str, table: Mapping[str, str] = RENAMED) -> None:
    """Put what a configuration has under old names where it belongs today.

    Args:
        raw: the configuration as read; changed in place.
        source: its name in messages.
        table: old path → new path.

    Raises:
        BothNamesError: one is given by both names.
    """
    for old, new in table.items():
        *parents, last = old.split(".")
        section = _section(raw, parents)
        if section is None or last not in section:
            continue
        *new_parents, new_last = new.split(".")
        new_section = _section(raw, new_parents, make=True)
        if new_section is None:
            continue  # what stands there is no section, which the check of the types tells
        if new_last in new_section:
            raise BothNamesError(
                f"{source}: {old} is the old name of {new}, and both are given: leave {old} out"
            )
        new_section[new_last] = section.pop(last)
        if parents and not section:  # the section itself may be one that there is no more
            del (_section(raw, parents[:-1]) or {})[parents[-1]]
        _warn(source, _renamed(old, new))


def drop(raw: dict[str, Any], source: str, table: Mapping[str, str] = REMOVED) -> None:
    """Leave out of a configuration what is no key any more, with a warning; the arguments are those of `move`."""
    for path, became in table.items():
        *parents, last = path.split(".")
        section = _section(raw, parents)
        if section is not None and last in section:
            del section[last]
            _warn(source, f"{path} has no effect: {became}; remove it")


def current(path: str, source: str, table: Mapping[str, str] = RENAMED) -> str:
    """Return what the path of a key is today; a path below a renamed section counts too."""
    for old, new in table.items():
        if path == old or path.startswith(f"{old}."):
            _warn(source, _renamed(old, new))
            return new + path.removeprefix(old)
    return path


def _section(raw: dict[str, Any], path: list[str], make: bool = False) -> dict[str, Any] | None:
    """Return the mapping at a path, made if wanted; None if there is none, or something else stands there."""
    for part in path:
        found = raw.setdefault(part, {}) if make else raw.get(part)
        if not isinstance(found, dict):
            return None
        raw = found
    return raw


def _renamed(old: str, new: str) -> str:
    return f"{old} is called {new} now; the old name still works"


@cache  # one file is parsed several times in a process
def _warn(source: str, message: str) -> None:
    log.warning("%s: %s", source, message)
