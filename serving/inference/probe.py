"""Finds out whether a signature answers each row by itself, so that requests may share a run without being told.

TensorFlow Serving joins requests only where it is asked to, because a graph may do anything with its first dimension:
normalize over it, sort it, sum it up. Here a signature is tried once, when its version is loaded: three rows together
must be answered as they are one by one.
"""

import logging
import time
from collections.abc import Mapping, Sequence

import numpy as np

from serving.engine.base import Engine
from serving.engine.signature import Signature, TensorSpec
from serving.inference.joining import Tensors, join, shapes_of
from serving.messages.dtypes import Array

log = logging.getLogger("slipway.server")

_ROWS = 3
_UNKNOWN_SIZE = 8
#: A call that takes longer gains nothing by company on a CPU, and lets it wait.
_LONGEST_SECONDS = 0.1
#: A batch takes other kernels than a row, which round otherwise; rows that mix differ by far more.
_RELATIVE, _OF_LARGEST = 1e-2, 1e-4


def joinable(engine: Engine, samples: Mapping[str, Sequence[Tensors]]) -> frozenset[str]:
    """Return the names of the signatures whose requests may be joined.

    Args:
        engine: a loaded model.
        samples: inputs of one row by signature, such as warm-up requests; where there are none, values are made up.
    """
    found = []
    for name in engine.pure:
        signature = engine.signatures[name]
        if _has_batch(signature) and _answers_by_row(engine, name, signature, samples.get(name, ())):
            found.append(name)
    return frozenset(found)


def _has_batch(signature: Signature) -> bool:
    specs = signature.inputs.values()
    return bool(specs) and all(spec.shape is not None and spec.shape[:1] == (None,) for spec in specs)


def _answers_by_row(engine: Engine, name: str, signature: Signature, samples: Sequence[Tensors]) -> bool:
    try:
        rows = _three_of(samples) or _made_up(signature)
        if rows is None:
            return False
        singles = [engine.run(name, row) for row in rows]
        started = time.perf_counter()
        engine.run(name, rows[0])
        if time.perf_counter() - started > _LONGEST_SECONDS:
            return False
        there = engine.run(name, join(rows, 0))
        back = engine.run(name, join(rows[::-1], 0))
    except Exception as error:  # made-up values, or what only one row at a time can be
        log.debug("requests for the signature %r are not joined: %s", name, error)
        return False
    return _same_rows(there, singles) and _same_rows(back, singles[::-1])


def _same_rows(joined: Tensors, singles: Sequence[Tensors]) -> bool:
    return all(
        value.shape[:1] == (_ROWS,) and all(_same(value[i : i + 1], singles[i][alias]) for i in range(_ROWS))
        for alias, value in joined.items()
    )


def _three_of(samples: Sequence[Tensors]) -> list[Tensors] | None:
    """Return three different samples of one row that can be joined, if there are so many."""
    alike: dict[str, dict[str, Tensors]] = {}
    for sample in samples:
        if all(value.shape[:1] == (1,) for value in sample.values()):
            shapes = shapes_of(sample, padded=False)
            values = {alias: sample[alias].tolist() for alias in sorted(sample)}
            alike.setdefault(repr(shapes), {})[repr(values)] = sample
    most = max(alike.values(), key=len, default={})
    return list(most.values())[:_ROWS] if len(most) >= _ROWS else None


def _made_up(signature: Signature) -> list[Tensors] | None:
    """Return three different rows, not in order: sorting and summing up would show."""
    random = np.random.default_rng(0)
    rows: list[dict[str, Array]] = [{} for _ in range(_ROWS)]
    for alias, spec in signature.inputs.items():
        for row, offset in zip(rows, (0, 1, -1), strict=True):
            value = _value(spec, random, offset)
            if value is None:
                return None
            row[alias] = value
    return list(rows)


def _value(spec: TensorSpec, random: np.random.Generator, offset: int) -> Array | None:
    shape = (1, *(_UNKNOWN_SIZE if size is None else size for size in (spec.shape or (None,))[1:]))
    dtype = spec.numpy_dtype
    if dtype.kind in "fc":
        return np.asarray(random.normal(offset, 1, shape)).astype(dtype)
    if dtype.kind in "iu":  # 0 and 1 are in every vocabulary
        return np.full(shape, (offset + 1) % 2, dtype)
    if dtype.kind == "b":
        return np.full(shape, offset == 0)
    if dtype.kind == "O":
        return np.full(shape, (b"b", b"c", b"a")[offset], object)
    return None  # types that numpy lacks


def _same(got: Array, want: Array) -> bool:
    if got.shape != want.shape or got.dtype != want.dtype:
        return False
    if got.dtype.kind in "fc":
        # By the largest of them, or small probabilities would all be the same; what is not finite must be so in both.
        largest = float(np.max(np.abs(want), where=np.isfinite(want), initial=0))
        return bool(np.allclose(got, want, rtol=_RELATIVE, atol=_OF_LARGEST * largest, equal_nan=True))
    return bool(np.array_equal(got, want))
