import random
from pathlib import Path

import pytest

from components.code import code_digest
from components.modules import ModuleError

MODEL = "def build_model(a):\n    return {}\n\n\ndef preprocessing_fn(inputs):\n    return {}\n"


def _digests(tmp_path: Path, text: str) -> tuple[str, str]:
    path = tmp_path / "model.py"
    path.write_text(text)
    return code_digest(user=[path]), code_digest(user=[path], without="build_model")


def test_an_edited_build_model_changes_the_trainer_only(tmp_path: Path) -> None:
    whole, preprocessing = _digests(tmp_path, MODEL)
    whole_after, preprocessing_after = _digests(tmp_path, MODEL.replace("build_model(a)", "build_model(b)"))
    assert whole_after != whole
    assert preprocessing_after == preprocessing


def test_an_edited_preprocessing_changes_both(tmp_path: Path) -> None:
    before = _digests(tmp_path, MODEL)
    after = _digests(tmp_path, MODEL.replace("preprocessing_fn(inputs)", "preprocessing_fn(raw)"))
    assert before[0] != after[0]
    assert before[1] != after[1]


def test_comments_and_layout_do_not_count(tmp_path: Path) -> None:
    assert _digests(tmp_path, MODEL) == _digests(tmp_path, "# why\n" + MODEL.replace("\n\n\n", "\n\n\n\n"))


def test_every_file_that_the_users_module_imports_counts_and_no_other(tmp_path: Path) -> None:
    files = {
        "model.py": "from layers import blocks\n" + MODEL,
        "layers/__init__.py": "",
        "layers/blocks.py": "def dense():\n    from layers.sizes import UNITS\n    return UNITS\n",
        "layers/sizes.py": "UNITS = 8\n",
        "train_by_hand.py": "print('a script of the user, which the model does not import')\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    before = code_digest(user=[tmp_path / "model.py"])
    changed = {}
    for name, text in files.items():
        (tmp_path / name).write_text(text + f"ADDED = {random.randrange(10**6)}\n")
        changed[name] = code_digest(user=[tmp_path / "model.py"]) != before
        (tmp_path / name).write_text(text)
    assert changed == {name: name != "train_by_hand.py" for name in files}


def test_entry_modules_are_told_apart_and_must_be_there() -> None:
    assert code_digest("components.models.cnn") != code_digest("components.verdict")
    with pytest.raises(ModuleNotFoundError, match=r"components\.absent"):
        code_digest("components.absent")


def test_other_files_count_by_their_content(tmp_path: Path) -> None:
    path = tmp_path / "statistics.pb"
    missing = code_digest("components.verdict", files=[str(path)])
    path.write_bytes(b"one")
    one = code_digest("components.verdict", files=[str(path)])
    path.write_bytes(b"two")
    assert len({missing, one, code_digest("components.verdict", files=[str(path)])}) == 3


def test_a_user_file_that_is_missing_or_broken_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModuleError, match=r"model\.py: no such file"):
        code_digest(user=[tmp_path / "model.py"])
    (tmp_path / "model.py").write_text("import layers\n")
    (tmp_path / "layers.py").write_text("x = 1\ndef dense(:\n")
    with pytest.raises(ModuleError, match=r"layers\.py, line 2: "):
        code_digest(user=[tmp_path / "model.py"])
