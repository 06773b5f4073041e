"""Names of libraries that are private there and used here nevertheless: a release without one is refused at import."""

import inspect
from typing import Any


def require(owner: Any, *names: str, why: str) -> None:
    """Check that a class still has some private methods, or sets some private attributes in its constructor.

    Args:
        owner: the class.
        names: the methods and attributes.
        why: what they are needed for.

    Raises:
        ImportError: one is gone; names the class, the attribute and what to do.
    """
    code = getattr(inspect.unwrap(owner.__init__), "__code__", None)
    set_by_constructor = code.co_names if code else ()
    for name in names:
        if not hasattr(owner, name) and name not in set_by_constructor:
            raise ImportError(
                f"{owner.__module__}.{owner.__qualname__} has no {name} any more, which Slipway uses {why}; "
                "install the version that requirements/lock.txt names"
            )
