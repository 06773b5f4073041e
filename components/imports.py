"""Which source files a module runs, found by reading import statements and without running any of them."""

import ast
from collections.abc import Callable, Iterable, Iterator
from functools import cache, lru_cache
from pathlib import Path

SOURCES = Path(__file__).resolve().parent.parent
"""The folder that holds our packages."""
PACKAGES = ("components", "data", "pipeline", "serving")
_DOTTED = tuple(f"{package}." for package in PACKAGES)


def our_modules(entries: Iterable[str]) -> dict[str, Path]:
    """Find every module of ours that some modules import, directly or not, themselves included.

    Imports inside functions count, and so do the packages that a module is in, because Python runs them too. A string
    that is the name of one of our modules (or of something in it) counts as an import of it: so do
    `importlib.import_module`, `python -m` and TFX's run functions name theirs.

    Args:
        entries: dotted names of modules.

    Returns:
        The source file of each module, by its name, sorted.

    Raises:
        ModuleNotFoundError: an entry is not a module of ours.
    """
    found: dict[str, Path] = {}
    waiting = list(entries)
    source = cache(_source)  # the same few hundred names thousands of times; another call may see other files
    for name in waiting:
        if source(name) is None:
            raise ModuleNotFoundError(f"{name} is no module in {SOURCES}", name=name)
    while waiting:
        name = waiting.pop()
        path = source(name)
        if name in found or path is None:
            continue
        found[name] = path
        waiting += [name.rpartition(".")[0]] if "." in name else []
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        waiting += (module for text in _names(path, package) if (module := _module_in(text, source)))
    return dict(sorted(found.items()))


def user_files(file: Path) -> list[Path]:
    """Find every file below the folder of a user's module that it imports, directly or not, itself first.

    Raises:
        OSError: the file cannot be read.
        SyntaxError: a file does not parse.
    """
    folder = file.parent
    found: list[Path] = []
    waiting = [file]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.append(path)
        package = ".".join(path.relative_to(folder).parts[:-1])
        for name in _names(path, package, strings=False):
            waiting += _files_of(folder, name)
    return [file, *sorted(set(found) - {file})]


def _source(name: str) -> Path | None:
    """Return the file of one of our modules; None if there is no such module."""
    if name.partition(".")[0] not in PACKAGES:
        return None
    files = _files_of(SOURCES, name)
    return files[-1] if files and _name_of(files[-1]) == name else None


def _name_of(path: Path) -> str:
    return ".".join(path.relative_to(SOURCES).with_suffix("").parts).removesuffix(".__init__")


def _module_in(text: str, source: Callable[[str], Path | None]) -> str | None:
    """Return the module of ours that a dotted name is, or is in (`components.train.run.run_fn`)."""
    while text:
        if source(text):
            return text
        text = text.rpartition(".")[0]
    return None


def _files_of(folder: Path, name: str) -> list[Path]:
    """Return the files below a folder that importing a dotted name runs: packages first, the module last."""
    files: list[Path] = []
    parts = name.split(".")
    for depth in range(1, len(parts) + 1):
        base = folder.joinpath(*parts[:depth])
        file = next((f for f in (base / "__init__.py", base.with_suffix(".py")) if f.is_file()), None)
        if file:
            files.append(file)
        else:
            break
    return files


def _names(path: Path, package: str, *, strings: bool = True) -> Iterator[str]:
    """List the dotted names in a file that may be modules."""
    for node in _tree(path, path.stat().st_mtime_ns):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif strings and isinstance(node, ast.Constant):
            yield str(node.value)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".") if package else []
    kept = parts[: len(parts) - node.level + 1]
    return ".".join([*kept, *([node.module] if node.module else [])])


@lru_cache(1024)
def _tree(path: Path, modified: int) -> list[ast.AST]:
    """Parse a file once; returns its imports, and its strings that look like names of our modules."""
    del modified  # a part of the cache's key
    return [
        node
        for node in ast.walk(ast.parse(path.read_bytes(), filename=str(path)))
        if isinstance(node, ast.Import | ast.ImportFrom)
        or (isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith(_DOTTED))
    ]
