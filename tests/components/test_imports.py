from pathlib import Path

import pytest

from components import imports


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with every way to import a module that ours uses."""
    files = {
        "components/__init__.py": "",
        "components/stage.py": (
            "import serving.direct\n"
            "from components import sibling\n"
            "from components.named import thing\n"
            "from . import relative\n"
            "RUN_FN = 'components.run.run_fn'\n"
            "def late():\n"
            "    import serving.late\n"
        ),
        "components/sibling.py": "",
        "components/named.py": "thing = 1\n",
        "components/relative.py": "",
        "components/run.py": "TABLE = {'x': 'components.technique'}\ndef run_fn(): ...\n",
        "components/technique.py": "import components.stage\n",
        "components/other.py": "import components.stage\n",
        "serving/__init__.py": "from serving import by_package\n",
        "serving/by_package.py": "",
        "serving/direct.py": "import json, tests.conftest\n",
        "serving/late.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(imports, "SOURCES", tmp_path)
    return tmp_path


def test_every_way_to_import_counts(sources: Path) -> None:
    assert list(imports.our_modules(["components.stage"])) == [
        "components",
        "components.named",
        "components.relative",
        "components.run",
        "components.sibling",
        "components.stage",
        "components.technique",
        "serving",
        "serving.by_package",
        "serving.direct",
        "serving.late",
    ]


def test_a_string_that_is_not_exactly_a_name_is_no_import(sources: Path) -> None:
    (sources / "components" / "sibling.py").write_text('"""See components.other, which is prose."""\n')
    assert "components.other" not in imports.our_modules(["components.stage"])
    (sources / "components" / "sibling.py").write_text('NAME = "components.other"\n')
    assert "components.other" in imports.our_modules(["components.stage"])


def test_what_is_not_ours_is_no_entry(sources: Path) -> None:
    for name in ("json", "components.absent", "tests.conftest"):
        with pytest.raises(ModuleNotFoundError, match=name):
            imports.our_modules([name])


def test_a_users_folder_of_data_is_no_module(tmp_path: Path) -> None:
    (tmp_path / "keras").mkdir()
    (tmp_path / "model.py").write_text("import keras\nimport helpers\n")
    (tmp_path / "helpers.py").write_text("from model import x\n")
    assert imports.user_files(tmp_path / "model.py") == [tmp_path / "model.py", tmp_path / "helpers.py"]
