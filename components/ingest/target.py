"""Whether labels are classes at all: a quantity to predict, or the wrong column, is told before anything is trained."""

from collections.abc import Iterable, Mapping

from components.listing import listed

_CLASSES = 20
#: With fewer rows than this for each label, numbers are a quantity, and texts are names of rows.
_NUMBERS, _TEXTS = 5, 2


def target_fault(label: str, counts: Mapping[str, int]) -> str | None:
    """Say why the labels look like no classes; None if they may be some.

    Args:
        label: the label's name.
        counts: rows by label.
    """
    rows, few = sum(counts.values()), sorted(counts)[:2]
    if len(counts) <= _CLASSES:
        return None
    numbers = [number for text in counts if (number := _number(text)) is not None]
    if len(numbers) == len(counts) and (
        rows < _NUMBERS * len(counts) or any(not number.is_integer() for number in numbers)
    ):
        return (
            f"the label {label!r} has {len(counts):,} different numbers in {rows:,} rows, such as {' and '.join(few)}: "
            "a quantity. Slipway trains classifiers, no regressions: make classes of it, such as ranges, or list the "
            "numbers in data.classes if they are classes"
        )
    if rows < _TEXTS * len(counts):
        return (
            f"the label {label!r} has {len(counts):,} different values in {rows:,} rows, such as {few[0][:40]!r}, too "
            "many to learn. Is data.label the right column? If so, list them in data.classes"
        )
    return None


def alike(labels: Iterable[str]) -> list[str]:
    """Say which classes differ only in blanks or capitals, as a note: they may be meant as one."""
    groups: dict[str, list[str]] = {}
    for label in sorted(labels):
        groups.setdefault(" ".join(label.split()).casefold(), []).append(repr(label))
    same = [" and ".join(group) for group in groups.values() if len(group) > 1]
    return [f"classes that differ only in blanks or capitals: {listed(same, 3)}"] if same else []


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
