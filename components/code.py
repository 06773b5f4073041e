"""Digests of source code, so that TFX's cache sees an edited function.

TFX keys its cache on a function's dotted name, not on what it says. Every stage of ours therefore takes a
`code_digest`, made of all our modules that its entry module imports and, where there are any, of the user's files.
"""

import ast
import hashlib
from collections.abc import Iterable
from pathlib import Path

from components.imports import our_modules, user_files
from components.modules import ModuleError


def code_digest(
    *entries: str, user: Iterable[Path] = (), without: str | None = None, files: Iterable[str] = ()
) -> str:
    """Digest everything of ours that some modules import, files of the user's, and other files.

    Args:
        entries: dotted names of modules of ours; see `components.imports.our_modules`.
        user: Python files of the user's, each with all that it imports below its folder. They are digested as syntax
            trees, so that comments and layout do not count.
        without: the name of a function that is left out of `user`: an edited `build_model` is no reason to
            preprocess again.
        files: other files, by their content; one that is missing is left for the stage to complain about.

    Raises:
        ModuleNotFoundError: an entry is not a module of ours.
        ModuleError: a file of the user's is not there or does not parse.
    """
    hasher = hashlib.sha256()
    for name, path in our_modules(entries).items():
        hasher.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    for path in user:
        for file, tree in _user_trees(path):
            kept = [
                node for node in tree.body if not (isinstance(node, ast.FunctionDef) and node.name == without)
            ]
            dumped = ast.dump(ast.Module(kept, []))
            hasher.update(file.relative_to(path.parent).as_posix().encode() + b"\0" + dumped.encode() + b"\0")
    for path in map(Path, files):
        hasher.update(path.read_bytes() if path.is_file() else b"")
    return hasher.hexdigest()[:16]


def _user_trees(module: Path) -> list[tuple[Path, ast.Module]]:
    if not module.is_file():
        raise ModuleError(f"{module}: no such file; model.module and preprocess.module name it")
    try:
        return [(file, ast.parse(file.read_bytes(), filename=str(file))) for file in user_files(module)]
    except SyntaxError as error:
        raise ModuleError(f"{error.filename}, line {error.lineno}: {error.msg}") from error
