"""Digests of source code, so that TFX's cache sees an edited function.

TFX keys its cache on a function's dotted name, not on what it says. Every stage of ours therefore takes a
`code_digest`, made of the packages that it runs and, where there is one, of the user's module.
"""

import ast
import hashlib
import importlib.util
from collections.abc import Iterable
from pathlib import Path

from components.modules import ModuleError


def code_digest(
    *packages: str, module: Path | None = None, without: str | None = None, files: Iterable[str] = ()
) -> str:
    """Digest the Python sources of packages (or single modules), of a user's file, and of other files.

    The user's file is digested as its syntax tree, so that comments and layout do not count; `without` names a
    function that is left out of it: an edited `build_model` is no reason to preprocess again. Other files count by
    their content; one that is missing is left for the stage to complain of.

    Raises:
        ModuleNotFoundError: a package is not importable.
        ModuleError: the user's file is not there, or does not parse.
    """
    hasher = hashlib.sha256()
    for package in packages:
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(package)
        origin = Path(spec.origin)
        sources = sorted(origin.parent.glob("*.py")) if spec.submodule_search_locations else [origin]
        for source in sources:
            hasher.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    if module is not None:
        tree = _parse(module)
        tree.body = [
            node for node in tree.body if not (isinstance(node, ast.FunctionDef) and node.name == without)
        ]
        hasher.update(ast.dump(tree).encode())
    for path in (Path(name) for name in files):
        hasher.update(path.read_bytes() if path.is_file() else b"")
    return hasher.hexdigest()[:16]


def _parse(module: Path) -> ast.Module:
    try:
        return ast.parse(module.read_text(), filename=str(module))
    except FileNotFoundError:
        raise ModuleError(f"{module}: no such file; model.module and preprocess.module name it") from None
    except SyntaxError as error:
        raise ModuleError(f"{module}, line {error.lineno}: {error.msg}") from error
