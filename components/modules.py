"""Loading what a data scientist brings: a Python file with `build_model` and, where wanted, `preprocessing_fn`."""

import hashlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


class ModuleError(ValueError):
    """The user's file is missing, does not load, or lacks the function that it was named for."""


def load_function(path: str, name: str) -> Callable[..., Any]:
    """Load a function from a Python file.

    The file is imported under a name of its own, so that two files called `model.py` do not meet.

    Raises:
        ModuleError: names the file, and what is wrong with it.
    """
    file = Path(path)
    if not file.is_file():
        raise ModuleError(f"{path}: no such file")
    unique = f"slipway_user_{file.stem}_{hashlib.sha256(str(file.resolve()).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(unique, file)
    if spec is None or spec.loader is None:
        raise ModuleError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    # Registered before it runs: dataclasses and Keras's registry look their module up by name.
    sys.modules[unique] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[unique]
        raise ModuleError(f"{path}: does not import: {type(error).__name__}: {error}") from error
    function = getattr(module, name, None)
    if not callable(function):
        raise ModuleError(f"{path}: has no function {name}(…)")
    loaded: Callable[..., Any] = function
    return loaded
