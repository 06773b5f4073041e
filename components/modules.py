"""Loading what a data scientist brings: a Python file with `build_model` and, where wanted, `preprocessing_fn`.

The file's folder is loaded as a package with a name of its own, and an import in it looks there first. So two files
called `model.py` never meet, and a `data.py` or `test.py` beside one is what that one imports, though Slipway or Python
has a module of the same name.
"""

import builtins
import hashlib
import importlib.util
import sys
import types
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from typing import Any

from components.causes import root_cause
from components.imports import user_files
from serving.errors import UserError

_PREFIX = "slipway_user_"


class ModuleError(UserError, ValueError):
    """The user's file is missing, does not load, or lacks the function that it was named for."""


def load_function(path: str, name: str) -> Callable[..., Any]:
    """Load a function from a Python file. The file is run once, and again when it or what it imports has changed.

    Args:
        path: the file.
        name: the function.

    Raises:
        ModuleError: names the file, and what is wrong with it.
    """
    file = Path(path)
    if not file.is_file():
        raise ModuleError(f"{path}: no such file")
    function = getattr(_load(file.resolve(), path), name, None)
    if not callable(function):
        raise ModuleError(f"{path}: has no function {name}(…)")
    loaded: Callable[..., Any] = function
    return loaded


def _load(file: Path, shown: str) -> types.ModuleType:
    package = _PREFIX + hashlib.sha256(str(file.parent).encode()).hexdigest()[:8]
    try:
        files = {path: path.stat().st_mtime_ns for path in user_files(file)}
        known: dict[Path, int] = getattr(sys.modules.get(package), "__slipway_files__", {})
        if any(known.get(path, modified) != modified for path, modified in files.items()):
            _forget(package)
        if package not in sys.modules:
            known = {}
            _install(package, file.parent)
        module = importlib.import_module(f"{package}.{file.stem}")
    except Exception as error:
        _forget(package)
        raise ModuleError(f"{shown}: does not import: {root_cause(error)}") from error
    sys.modules[package].__dict__["__slipway_files__"] = {**known, **files}
    return module


def _install(package: str, folder: Path) -> None:
    if not any(isinstance(finder, _UserFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _UserFinder())
    parent = types.ModuleType(package)
    parent.__path__ = [str(folder)]
    sys.modules[package] = parent
    if str(folder) not in sys.path:
        sys.path.append(str(folder))  # for what imports by a name that it makes up, and for unpickling


def _forget(package: str) -> None:
    for name in [name for name in sys.modules if name == package or name.startswith(package + ".")]:
        del sys.modules[name]


class _UserFinder(MetaPathFinder):
    """Finds the modules of users' folders, and has them import from their own folder first."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        """See importlib."""
        if not fullname.startswith(_PREFIX) or path is None:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec and spec.origin and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _UserLoader(fullname, spec.origin)
        return spec


class _UserLoader(SourceFileLoader):
    """Runs a module of a user's folder with an `import` statement that looks into that folder first."""

    def exec_module(self, module: types.ModuleType) -> None:
        """See importlib."""
        package = module.__name__.partition(".")[0]
        folder = Path(sys.modules[package].__path__[0])

        def import_(
            name: str, globals: Any = None, locals: Any = None, fromlist: Sequence[str] = (), level: int = 0
        ) -> types.ModuleType:
            top = name.partition(".")[0]
            if level or not _is_here(folder, top):
                return builtins.__import__(name, globals, locals, fromlist, level)
            leaf = builtins.__import__(f"{package}.{name}", globals, locals, fromlist or ("__name__",), 0)
            return leaf if fromlist else sys.modules[f"{package}.{top}"]

        module.__dict__["__builtins__"] = {**vars(builtins), "__import__": import_}
        super().exec_module(module)


def _is_here(folder: Path, top: str) -> bool:
    """Tell whether a folder has a module or package of this name; a folder of data files is neither."""
    return (folder / f"{top}.py").is_file() or (folder / top / "__init__.py").is_file()
