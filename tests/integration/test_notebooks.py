"""Every notebook runs from top to bottom, in a workspace where a pipeline has run."""

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import REPOSITORY, Workspace

pytestmark = pytest.mark.run
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def workspace(new_workspace: Callable[[str], Workspace]) -> Workspace:
    made = new_workspace("notebooks")
    done = made.run(
        "configs/digits.yaml",
        "optimize.techniques=[float16, int8]",
        "train.epochs=5",
        "evaluate.thresholds=[{lower_bound: 0.5}]",
    )
    assert done.code == 0, done.output
    return made


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
# The client's message loop leaves its sockets to the garbage collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_it_runs(workspace: Workspace, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    assert all(not cell.get("outputs") for cell in notebook.cells), "commit notebooks without their outputs"
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(workspace.path)}}).execute()
    assert any(
        output.output_type == "execute_result"
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    )
