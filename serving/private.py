"""Checks at import that a library still has the private names that we use."""

import inspect
from typing import Any


def require(owner: Any, *names: str, why: str) -> None:
    """Check that a class still has some private methods, or sets some private attributes in its constructor.

    Args:
        owner: the class.
        names: the methods and attributes.
        why: what they are needed for.

    Raises:
        ImportError: one is missing; the message names the class, the attribute and what to do.
    """
    code = getattr(inspect.unwrap(owner.__init__), "__code__", None)
    set_by_constructor = code.co_names if code else ()
    for name in names:
        if not hasattr(owner, name) and name not in set_by_constructor:
            raise ImportError(
                f"{owner.__module__}.{owner.__qualname__} no longer has {name}, which Slipway uses {why}; "
                "install the version in requirements/lock.txt"
            )
