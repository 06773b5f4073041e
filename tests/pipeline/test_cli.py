import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, USERS_OWN, Workspace

SLIPWAY = str(Path(sys.executable).parent / "slipway")


def test_help_names_every_command_and_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom pipeline.cli import app\n"
        "result = CliRunner().invoke(app, ['--help'])\nassert result.exit_code == 0\nprint(result.output)\n"
        "assert not {'tensorflow', 'tfx', 'apache_beam', 'pydantic', 'pandas'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    released = ("why", "versions", "rollback", "label", "serve", "predict")
    for command in ("run", "schedule", "kubeflow", "flink", "train-worker", "schema", "doctor", *released):
        assert f" {command} " in done.stdout


@pytest.mark.run
def test_doctor_finds_what_is_wrong_and_says_what_to_do(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    (tmp_path / "configs").symlink_to(REPOSITORY / "configs")
    good = workspace.warm(Path(SLIPWAY), "doctor")
    assert good.code == 0, good.output
    assert "reachable and writable" in good.output
    assert "as locked" in good.output
    (tmp_path / "file").write_text("not a folder")
    text = (REPOSITORY / "configs" / "digits.yaml").read_text()
    (tmp_path / "bad.yaml").write_text(text.replace("bucket: bucket", "bucket: file/bucket"))
    bad = workspace.warm(Path(SLIPWAY), "doctor", "-c", "bad.yaml")
    assert bad.code == 1
    assert "check push.bucket" in bad.output
    assert not list(tmp_path.glob("**/.slipway-doctor-*"))


def test_a_mistake_in_the_configuration_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("model_name: x\n")
    done = Workspace(tmp_path).run_cold("c.yaml")
    assert done.code == 2
    assert "c.yaml: data: missing, and required" in done.output
    assert "Traceback" not in done.output
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(("command", "flag"), [("serve", "--rest_api_port"), ("predict", "--batch_size")])
def test_the_server_and_its_client_have_help_of_their_own(command: str, flag: str) -> None:
    done = subprocess.run([SLIPWAY, command, "--help"], capture_output=True, text=True, check=True)
    assert flag in done.stdout


@pytest.mark.parametrize("arguments", [["nonsense"], ["run", "--nonsense"]])
def test_unknown_commands_and_options_are_refused(arguments: list[str]) -> None:
    done = subprocess.run([SLIPWAY, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "nonsense" in done.stderr


@pytest.mark.run
def test_a_users_own_scripts_hide_nothing_of_ours(new_workspace: Callable[[str], Workspace]) -> None:
    """Each would end the command if it were imported. `data.make` finds the user's modules all the same."""
    workspace = new_workspace("scripts")
    assert {path.stem for path in workspace.path.glob("*.py")} == set(USERS_OWN)
    (workspace.path / "my_rows.py").write_text(
        "def write(path):\n    raise SystemExit(f'my rows go to {path}')\n"
    )
    made = ("--set", "data.make=my_rows:write", "--set", "data.path=nowhere")
    done = workspace.command([SLIPWAY, "run", *made])
    assert "my rows go to" in done.output, done.output
