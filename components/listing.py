"""Names in messages: a table can have a thousand columns, and a message a few."""

from collections.abc import Sequence


def listed(names: Sequence[str], most: int = 10) -> str:
    """List the first names, and say how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
