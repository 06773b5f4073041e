"""What stops a run before anything is loaded or written."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

CONFIG = """
model_name: mine
data: {format: csv, path: "data [v2]/my #1.csv", label: target}
preprocess: {module: model.py, inputs: [age]}
model: {module: model.py}
evaluate: {thresholds: [{metric: accuracy, lower_bound: 0.5}], slices: [town]}
push: {bucket: bucket}
"""
MODEL = "from elsewhere import build_model, preprocessing_fn"


@pytest.mark.parametrize(
    ("folder", "header", "model", "said"),
    [
        ("a b", "age,town,target", None, "preprocess.module: model.py: no such file"),
        (
            "a b",
            "age,town,target",
            "def build_model(",
            "preprocess.module: model.py, line 1: '(' was never closed",
        ),
        (
            "a b",
            "age,town,target",
            "build_model = 1",
            "preprocess.module: model.py: has no function preprocessing_fn",
        ),
        (
            "a b",
            "Age,town,target",
            MODEL,
            "no column 'age'. Did you mean 'Age'? The columns are Age, town, target. Correct",
        ),
        ("a b", "age,city,target", MODEL, "Correct evaluate.slices, or the header."),
        (
            "a [v2]",
            "age,town,target",
            MODEL,
            "take for a pattern because of * ? or [: set pipeline_root to another folder",
        ),
    ],
)
def test_a_wrong_header_file_or_root_is_said_without_tensorflow(
    tmp_path: Path, folder: str, header: str, model: str | None, said: str
) -> None:
    here = tmp_path / folder
    (here / "data [v2]").mkdir(parents=True)
    (here / "data [v2]" / "my #1.csv").write_text(f"{header}\n1,x,a\n")
    (here / "my #1.yaml").write_text(CONFIG)
    if model is not None:
        (here / "model.py").write_text(model)
    code = (
        "import sys; from pipeline.cli import main\n"
        "try: main(['run', '-c', 'my #1.yaml'])\n"
        "finally: print('loaded:', {'tensorflow', 'tfx', 'apache_beam'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=here,
        env={"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert done.stdout == "loaded: set()\n"
    assert not (here / "runs").exists()
