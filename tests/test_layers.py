"""What may import what: the table of folders in docs/design.md, held against the code."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

FORBIDDEN = {
    "components": {"pipeline", "tests", "benchmarks"},
    "serving": {"pipeline", "components", "data", "tfx", "apache_beam", "tests", "benchmarks"},
    "data": {"pipeline", "components", "serving", "tfx", "tests", "benchmarks"},
    "pipeline": {"tests", "benchmarks"},
}


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("folder", sorted(FORBIDDEN))
def test_a_folder_imports_only_what_it_may(folder: str) -> None:
    files = sorted((REPOSITORY / folder).rglob("*.py"))
    assert files
    found = {
        f"{path.relative_to(REPOSITORY)} imports {name}"
        for path in files
        for name in _imports(path)
        if name.partition(".")[0] in FORBIDDEN[folder]
    }
    assert not found


@pytest.mark.parametrize(
    "module",
    ["serving.release.record", "serving.release.fetch", "serving.release.push", "serving.client.client"],
)
def test_what_a_sidecar_or_a_client_needs_is_light(module: str) -> None:
    code = f"import sys, {module}; print({{'tensorflow', 'tfx', 'pandas'}} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
