"""Types of columns in text: the narrowest that holds every cell as it is written."""

import math
import re
from collections.abc import Sequence

from components.ingest.csv_config import FeatureType
from components.ingest.rows import Value

_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]+(\.0*)?")
_INT = re.compile(r"[+-]?(0|[1-9][0-9]*)")
_LEADING_ZERO = re.compile(r"\s*[+-]?0[0-9]")
#: Integers beyond these are not whole in a double, and no number at all in a tf.Example's float.
_WHOLE, _FLOAT32 = 2**53, 3.4028235677973366e38


def narrowest(cells: Sequence[str]) -> FeatureType:
    """Return int, float or string for the cells of a column that are not missing.

    What a number would not keep is a string: leading zeros (postal codes), integers of more than 64 bits, and among
    fractions integers beyond 2**53, which even a double rounds (identifiers). Fractions are float32, as tf.Example has
    no others.
    """
    if not cells:
        return "string"
    try:
        if all(_INT.fullmatch(cell) for cell in cells):
            for cell in cells:
                parse(cell, "int")
            return "int"
        fits = not any(_LEADING_ZERO.match(cell) or _long_integer(cell) for cell in cells)
        for cell in cells:
            parse(cell, "float")
    except ValueError:
        return "string"
    return "float" if fits else "string"


def parse(cell: str, kind: FeatureType) -> Value:
    """Return a cell as a value of its column's type.

    Raises:
        ValueError: it is none: NaN, infinite, or too large, too.
    """
    if kind == "string":
        return cell.encode()
    if "_" in cell:  # Python reads 1_000 as a number
        raise ValueError(cell)
    if kind == "int":
        number = int(cell)
        if not -(2**63) <= number < 2**63:
            raise ValueError(cell)
        return number
    value = float(cell)
    if not math.isfinite(value) or abs(value) >= _FLOAT32:
        raise ValueError(cell)
    return value


def _long_integer(cell: str) -> bool:
    written = cell.strip()
    return bool(_WHOLE_NUMBER.fullmatch(written)) and abs(int(written.partition(".")[0])) > _WHOLE
