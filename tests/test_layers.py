"""What may import what: the tables of docs/design.md, held against the code."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

#: What each top-level folder with Python in it must not import.
FORBIDDEN = {
    "benchmarks": {"tests"},
    "components": {"pipeline", "tests", "benchmarks"},
    "data": {"pipeline", "components", "serving", "tfx", "tests", "benchmarks"},
    "infra": {"pipeline", "components", "serving", "data", "tests", "benchmarks"},
    "pipeline": {"tests", "benchmarks"},
    "serving": {"pipeline", "components", "data", "tfx", "apache_beam", "tests", "benchmarks"},
    "tests": set(),
}
#: Which folders of serving/ each may import; all but transport may import top-level modules.
ROOMS = {
    "transport": set(),
    "messages": set(),
    "offload": set(),
    "release": set(),
    "engine": {"messages", "release"},
    "ops": {"messages", "release", "transport"},
    "manager": {"engine", "messages", "ops", "release"},
    "client": {"engine", "messages"},
    "inference": {"engine", "manager", "messages", "offload", "ops", "release"},
    "rest": {"engine", "inference", "manager", "messages", "offload", "ops", "transport"},
    "rpc": {"engine", "inference", "manager", "messages", "offload", "ops", "transport"},
}
FOR_ALL = {"errors", "flags", "garbage", "private", "process", "version"}


def _folders(parent: Path) -> set[str]:
    """The folders below one that hold Python and belong to the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        cwd=parent,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    return {path.partition("/")[0] for path in listed if "/" in path}


@cache
def _modules(folder: str) -> Mapping[str, Path]:
    """Every module of a top-level folder by its dotted name."""
    files = sorted((REPOSITORY / folder).rglob("*.py"))
    assert files
    return {
        ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__"): path
        for path in files
    }


def _imports(path: Path) -> Iterator[str]:
    """The dotted names that a file imports, wherever in it; `from a import b` gives `a.b`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative imports are not used here"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def _edges() -> Mapping[str, set[str]]:
    """Which modules of ours each one imports."""
    known = {
        name: path for folder in FORBIDDEN if folder != "tests" for name, path in _modules(folder).items()
    }
    edges: dict[str, set[str]] = {}
    for name, path in known.items():
        found = {text if text in known else text.rpartition(".")[0] for text in _imports(path)}
        edges[name] = (found & known.keys()) - {name}
    return edges


def _circle(edges: Mapping[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def _room(name: str) -> str:
    """`serving.rest.app` is in serving.rest; a module right below the top is a room of its own."""
    return ".".join(name.split(".")[:2])


def test_the_tables_know_every_folder() -> None:
    assert _folders(REPOSITORY) == FORBIDDEN.keys()
    assert _folders(REPOSITORY / "serving") == ROOMS.keys()


@pytest.mark.parametrize("folder", sorted(FORBIDDEN))
def test_a_folder_imports_only_what_it_may(folder: str) -> None:
    found = {
        f"{name} imports {imported}"
        for name, path in _modules(folder).items()
        for imported in _imports(path)
        if imported.partition(".")[0] in FORBIDDEN[folder]
    }
    assert not found


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_of_serving_imports_only_what_it_may(room: str) -> None:
    allowed = {room, *ROOMS[room], *(FOR_ALL if room != "transport" else ())}
    found = {
        f"{name} imports {imported}"
        for name, path in _modules("serving").items()
        if name.split(".")[1:2] == [room]
        for imported in _imports(path)
        if imported.startswith("serving.") and imported.split(".")[1] not in allowed
    }
    assert not found


def test_no_module_imports_itself_by_way_of_others() -> None:
    assert not _circle(_edges())


@pytest.mark.parametrize("folder", ["components", "serving"])
def test_no_folder_imports_itself_by_way_of_others(folder: str) -> None:
    rooms: dict[str, set[str]] = {}
    for name, imported in _edges().items():
        if name.startswith(f"{folder}."):
            rooms.setdefault(_room(name), set()).update(map(_room, imported))
    assert rooms
    assert not _circle({room: others - {room} for room, others in rooms.items()})


@pytest.mark.parametrize(
    "module", ["serving.release.record", "serving.release.fetch", "serving.release.push", "serving.client"]
)
def test_what_a_sidecar_or_a_client_needs_is_light(module: str) -> None:
    code = f"import sys, {module}; print({{'tensorflow', 'tfx', 'pandas'}} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
