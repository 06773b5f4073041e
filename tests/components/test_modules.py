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
