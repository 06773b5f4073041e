"""Set-up: what is missing is said before anything is downloaded; the sdist holds every module; versions are told."""

import os
import subprocess
import sys
import tarfile
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

DESCRIPTORS = "serving/messages/descriptors.binpb"
VERSION = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
TOOLS = ("bash", "dirname", "awk", "df", "printf", "env", "cat")


def _copy(tmp_path: Path) -> Path:
    """Copy what set-up reads into a folder without an environment."""
    target = tmp_path / "clone"
    (target / "infra").mkdir(parents=True)
    (target / "infra" / "setup.sh").write_text((REPOSITORY / "infra" / "setup.sh").read_text())
    return target


def _setup(clone: Path, path: str, python: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["bash", "infra/setup.sh"],
        cwd=clone,
        env={"PATH": path, "PYTHON": python},
        capture_output=True,
        text=True,
        check=False,
    )


def _path_with(tmp_path: Path, **scripts: str) -> str:
    """Make a PATH with only the tools that set-up needs to look around, and stand-ins for others."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        real = next((p for d in os.environ["PATH"].split(":") if (p := Path(d) / tool).exists()), None)
        if real and tool not in scripts:
            (folder / tool).symlink_to(real)
    for name, text in scripts.items():
        (folder / name.replace("_", "+")).write_text(f"#!/bin/bash\n{text}\n")
        (folder / name.replace("_", "+")).chmod(0o755)
    return str(folder)


@pytest.mark.parametrize(
    ("python", "scripts", "said"),
    [
        ("python-absent", {}, "Python 3.11 was not found as 'python-absent'"),
        ("other", {"other": "echo 3.9"}, "'other' is Python 3.9; TFX 1.21 with Kubeflow needs 3.11"),
        (sys.executable, {}, "No C++ compiler"),
        (
            sys.executable,
            {"g__": "", "df": "printf 'a\\nfs 1 1 1048576 1 /\\n'"},
            "Only 1 GiB free on this disk",
        ),
    ],
)
def test_what_is_missing_is_named_and_nothing_is_made(
    tmp_path: Path, python: str, scripts: dict[str, str], said: str
) -> None:
    clone = _copy(tmp_path)
    done = _setup(clone, _path_with(tmp_path, **scripts), python)
    assert done.returncode == 1
    assert said in done.stderr
    assert not (clone / ".venv").exists()


@pytest.mark.run
def test_the_sdist_that_beam_ships_holds_every_module(tmp_path: Path) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "pipeline", "components", "serving", "data"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    modules = {name for name in tracked.stdout.split("\0") if name.endswith(".py")}
    modules = {name for name in modules if (REPOSITORY / name).exists()} | {DESCRIPTORS}
    clone = tmp_path / "clone"
    for name in [*modules, "setup.py", "pyproject.toml", "README.md", "LICENSE"]:
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / name).write_bytes((REPOSITORY / name).read_bytes())
    subprocess.run(
        [sys.executable, "setup.py", "-q", "sdist", "--dist-dir", str(tmp_path / "dist")],
        cwd=clone,
        capture_output=True,
        check=True,
    )
    (archive,) = (tmp_path / "dist").glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        held = {name.partition("/")[2] for name in opened.getnames()}
    assert modules
    assert modules <= held
    assert {"setup.py", "pyproject.toml", "LICENSE"} <= held
    # As a Beam worker installs it: elsewhere, from the archive alone.
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
    ]
    subprocess.run([*command, "--target", str(tmp_path / "worker"), str(archive)], cwd=tmp_path, check=True)
    code = (
        "import pipeline.config as c, components.ingest.write as w, serving.messages.descriptors as d;"
        "from serving.version import version, commit; print(c.__file__, w.__file__, d.DESCRIPTORS);"
        "assert d.DESCRIPTORS.exists(); print(version(), commit())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "worker"), "SLIPWAY_COMMIT": "c0ffee"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [
        str(tmp_path / "worker" / "pipeline" / "config.py"),
        str(tmp_path / "worker" / "components" / "ingest" / "write.py"),
        str(tmp_path / "worker" / DESCRIPTORS),
        VERSION,
        "c0ffee",
    ]


def test_the_lock_pins_every_package_by_hash_and_names_no_host() -> None:
    lock = (REPOSITORY / "requirements" / "lock.txt").read_text()
    assert "://" not in lock
    pins = [line for line in lock.splitlines() if line and not line.startswith((" ", "#"))]
    assert len(pins) > 200
    assert all("==" in line and line.endswith("\\") for line in pins)


def _told(where: Path, **environment: str) -> list[str]:
    code = "import serving.version as v; print(v.version()); print(v.commit())"
    kept = {name: value for name, value in os.environ.items() if name != "SLIPWAY_COMMIT"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=where,
        env={**kept, "PYTHONPATH": str(where), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_the_version_is_said_in_one_place_and_the_commit_by_git(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "serving/__init__.py", "serving/version.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text((REPOSITORY / name).read_text().replace(f'"{VERSION}"', '"7.0.0"'))
    assert _told(tmp_path) == ["7.0.0", ""]

    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.com")
        command = ["git", *identity, *arguments]
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout.strip()

    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "all")
    git("tag", "-a", "v7", "-m", "seven")
    commit = git("rev-parse", "HEAD")
    (tmp_path / "untracked").touch()
    assert _told(tmp_path) == ["7.0.0", commit]
    (tmp_path / "serving" / "__init__.py").write_text("changed = True")
    assert _told(tmp_path) == ["7.0.0", f"{commit}-dirty"]
    assert _told(tmp_path, SLIPWAY_COMMIT="given") == ["7.0.0", "given"]
    assert _told(tmp_path, PATH="/nowhere") == ["7.0.0", ""]


def test_without_sources_the_version_is_that_of_what_is_installed(tmp_path: Path) -> None:
    (tmp_path / "serving").mkdir()
    for name in ("serving/__init__.py", "serving/version.py"):
        (tmp_path / name).write_text((REPOSITORY / name).read_text())
    assert _told(tmp_path) == [metadata.version("slipway"), ""]
    other = tmp_path / "pyproject.toml"
    other.write_text('[project]\nname = "other"\nversion = "9"\n')
    assert _told(tmp_path) == [metadata.version("slipway"), ""]
