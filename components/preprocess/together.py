"""What is done once for all columns and not once for each: a wide table would wait minutes for it.

tf.Transform makes some ten Beam stages for each analysis, and Beam's time is their square. A `preprocessing_fn` that
scales a thousand columns one by one, as all tutorials do, gets one analysis for all of them. And tf.Transform traces
the function a dozen times, writes what it traced, and loads that again, so that every operation has its price.
"""

import logging
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import tensorflow as tf
from tensorflow_transform import mappers

#: What is behind scale_to_z_score, and behind scale_to_0_1 and scale_by_min_max.
_SCALERS = ("_scale_to_z_score_internal", "_scale_by_min_max_internal")
log = logging.getLogger("slipway.preprocess")


def vectors(values: Mapping[str, Any]) -> dict[str, Any]:
    """Make each [batch, 1] a vector; what has gaps or several values stays as it is."""
    alike: dict[tf.DType, list[str]] = {}
    for name, value in values.items():
        if not isinstance(value, tf.SparseTensor) and value.shape.rank == 2 and value.shape[1] == 1:
            alike.setdefault(value.dtype, []).append(name)
    made = dict(values)
    for names in alike.values():
        # Two operations, where each column alone would be one (or four as [:, 0]).
        joined = tf.concat([values[name] for name in names], axis=1) if len(names) > 1 else values[names[0]]
        made |= zip(names, tf.unstack(joined, num=len(names), axis=1), strict=True)
    return made


@contextmanager
def scaled_together(raw: Mapping[str, Any]) -> Iterator[None]:
    """Let tf.Transform scale all columns at once, each by its own numbers, when it is asked to scale one of them.

    A tf.Transform without these functions scales one by one.

    Args:
        raw: what preprocessing_fn gets; a column is a tensor with one number in each example.
    """
    columns = [value for value in raw.values() if _is_column(value)]
    if len(columns) < 2:
        yield
        return
    missing = [name for name in _SCALERS if not hasattr(mappers, name)]
    if missing:
        log.warning("tensorflow_transform.mappers lacks %s: columns are analyzed one by one", missing)
        yield
        return
    places = {column.ref(): index for index, column in enumerate(columns)}
    originals: dict[str, Callable[..., Any]] = {name: getattr(mappers, name) for name in _SCALERS}
    for name, original in originals.items():
        setattr(mappers, name, partial(_scale, original, columns, places, {}))
    try:
        yield
    finally:
        for name, original in originals.items():
            setattr(mappers, name, original)


def _is_column(value: Any) -> bool:
    return isinstance(value, tf.Tensor) and value.shape.rank == 1 and value.dtype in (tf.float32, tf.int64)


def _scale(
    original: Callable[..., Any],
    columns: list[tf.Tensor],
    places: Mapping[Any, int],
    done: dict[Hashable, list[tf.Tensor]],
    x: Any,
    key: Any = None,
    elementwise: bool = False,
    **options: Any,
) -> Any:
    """Do what `original` does for `x`; for all columns at once if `x` is one of them, as it is or as float32."""
    place = _place(x, places)
    if place is None or key is not None or elementwise or options.get("output_dtype"):
        return original(x, key=key, elementwise=elementwise, **options)
    wanted = tuple(sorted(options.items()))
    if wanted not in done:
        # Both scalers make float32 of an integer, too.
        stacked = tf.stack([tf.cast(column, tf.float32) for column in columns], axis=1)
        scaled = original(stacked, key=None, elementwise=True, **options)
        done[wanted] = tf.unstack(scaled, num=len(columns), axis=1)
    return done[wanted][place]


def _place(x: Any, places: Mapping[Any, int]) -> int | None:
    if not isinstance(x, tf.Tensor):
        return None
    place = places.get(x.ref())
    if place is None and hasattr(x, "op") and x.op.type == "Cast" and x.dtype == tf.float32:
        place = places.get(x.op.inputs[0].ref())
    return place
