from pathlib import Path

import pytest

from components.modules import ModuleError, load_function


def test_two_files_of_one_name_do_not_meet(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "model.py").write_text(f"def build_model():\n    return '{folder}'\n")
    functions = [load_function(str(tmp_path / folder / "model.py"), "build_model") for folder in ("a", "b")]
    assert [function() for function in functions] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "no such file"),
        ("import absent_package", "does not import: ModuleNotFoundError: No module named 'absent_package'"),
        ("def build():\n    pass\n", r"has no function build_model\(…\)"),
        ("def build_model(:\n", "does not import: SyntaxError"),
    ],
)
def test_a_file_that_will_not_do_is_named(tmp_path: Path, text: str | None, said: str) -> None:
    path = tmp_path / "model.py"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ModuleError, match=said) as caught:
        load_function(str(path), "build_model")
    assert str(path) in str(caught.value)


OWN = {
    "model.py": "import data\nimport test\nfrom pipeline import steps\n\n\ndef build_model():\n    import late\n"
    "    return data.NAME, test.NAME, steps.NAME, late.NAME\n",
    "data.py": "NAME = 'my data'\n",
    "test.py": "import json\nimport data as d\nNAME = json.dumps(d.NAME)\n",
    "pipeline/__init__.py": "",
    "pipeline/steps.py": "from . import inner\nNAME = inner.NAME\n",
    "pipeline/inner.py": "NAME = 'my steps'\n",
    "late.py": "NAME = 'late'\n",
    "json/notes.txt": "a folder of files, which is not what `import json` means",
}


def test_what_lies_beside_a_model_is_what_it_imports(tmp_path: Path) -> None:
    for name, text in OWN.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    build_model = load_function(str(tmp_path / "model.py"), "build_model")
    assert build_model() == ("my data", '"my data"', "my steps", "late")
    import data
    import pipeline

    assert "slipway" not in data.__name__
    assert str(tmp_path) not in str(data.__file__) + str(pipeline.__file__), "ours are still ours"


def test_an_edited_helper_is_run_again_and_an_unchanged_one_is_not(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("import helper\n\n\ndef build_model():\n    return helper.VALUE\n")
    (tmp_path / "helper.py").write_text("VALUE = object()\n")
    first = load_function(str(tmp_path / "model.py"), "build_model")()
    assert load_function(str(tmp_path / "model.py"), "build_model")() is first
    (tmp_path / "helper.py").write_text("VALUE = 'edited'\n")
    assert load_function(str(tmp_path / "model.py"), "build_model")() == "edited"


def test_another_file_of_the_same_folder_leaves_the_first_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("class Net: ...\n\n\ndef build_model():\n    return Net\n")
    (tmp_path / "technique.py").write_text("import model\n\n\ndef build():\n    return model.Net\n")
    net = load_function(str(tmp_path / "model.py"), "build_model")()
    assert load_function(str(tmp_path / "technique.py"), "build")() is net
    assert load_function(str(tmp_path / "model.py"), "build_model")() is net
