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


@pytest.mark.parametrize(
    ("folder", "header", "said"),
    [
        (
            "a b",
            "Age,town,target",
            "no column 'age'. Did you mean 'Age'? The columns are Age, town, target. Correct",
        ),
        ("a b", "age,city,target", "Correct evaluate.slices, or the header."),
        (
            "a [v2]",
            "age,town,target",
            "take for a pattern because of * ? or [: set pipeline_root to another folder",
        ),
    ],
)
def test_a_wrong_header_or_root_is_said_without_tensorflow(
    tmp_path: Path, folder: str, header: str, said: str
) -> None:
    here = tmp_path / folder
    (here / "data [v2]").mkdir(parents=True)
    (here / "data [v2]" / "my #1.csv").write_text(f"{header}\n1,x,a\n")
    (here / "my #1.yaml").write_text(CONFIG)
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
