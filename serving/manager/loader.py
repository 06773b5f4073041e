"""Loads one version: fetches and verifies it, opens it, and warms it up."""

import gc
import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from serving.engine.base import Engine
from serving.engine.open import EngineOptions, open_engine
from serving.errors import Code, ServingError, from_engine
from serving.manager.source import is_remote, split_url
from serving.ops.memory import trim
from serving.release.fetch import check_release, fetch
from serving.release.record import RELEASE_FILE, ReleaseError

WarmUp = Callable[[str, Engine, Path], None]


@dataclass(frozen=True)
class Loaded:
    """The engine of a loaded version, and the copy that was fetched for it, if any."""

    engine: Engine
    cached: Path | None


@dataclass(frozen=True)
class LoadOptions:
    """How versions are loaded.

    Attributes:
        engine: how models are opened.
        cache: the folder for versions fetched from object stores.
        warm_up: called with the model's name, the engine and the version's folder; raises to fail the load.
    """

    engine: EngineOptions
    cache: Path
    warm_up: WarmUp | None = None


def load(model: str, number: int, source: str, options: LoadOptions) -> Loaded:
    """Load a version.

    Args:
        model: the model's name.
        number: the version.
        source: a folder, or a URL in an object store.
        options: how to load it.

    Raises:
        ServingError: the version cannot be loaded; its resources are freed, and its fetched copy is deleted.
    """
    cached = None
    try:
        if is_remote(source):
            base = source.rpartition("/")[0]
            bucket, folder_name = split_url(base)
            # A load that hangs may still come to its end when the model is already somewhere else.
            place = hashlib.sha256(base.encode()).hexdigest()[:16]
            cached = fetch(bucket, folder_name, number, options.cache / model / place / str(number))
        folder = cached or Path(source)
        if cached is None and (folder / RELEASE_FILE).is_file():
            check_release(folder, source)
        engine = open_engine(folder, options.engine)
        try:
            if options.warm_up:
                options.warm_up(model, engine, folder)
        except BaseException:
            engine.close()
            raise
        return Loaded(engine, cached)
    except Exception as error:
        if cached:
            shutil.rmtree(cached, ignore_errors=True)
        raise as_serving_error(error) from error


def unload(engine: Engine, cached: Path | None) -> None:
    """Free an engine, and delete the copy of the version that was fetched for it, if any."""
    engine.close()
    give_back_memory()
    if cached:
        shutil.rmtree(cached, ignore_errors=True)


def give_back_memory() -> None:
    """Free what a model has left behind.

    TensorFlow's graphs are cycles, and the server has made the collector rare; the C library keeps for itself what was
    freed in other threads than the main one.
    """
    gc.collect()
    trim()


def as_serving_error(error: Exception) -> ServingError:
    """Return the error of a failed load, with a canonical code.

    It is a new one: an error that was raised holds all that was on its way, the model included.
    """
    if isinstance(error, ServingError):
        return ServingError(error.code, error.message)
    if isinstance(error, ReleaseError):
        return ServingError(Code.DATA_LOSS, str(error))
    if isinstance(error, FileNotFoundError):
        return ServingError(Code.NOT_FOUND, str(error))
    if isinstance(error, OSError):
        return ServingError(Code.UNAVAILABLE, str(error))
    return from_engine(error)
