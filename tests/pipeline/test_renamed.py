"""Keys under their old names: moved, told once, and refused where both names are given."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline import renamed
from pipeline.config import Config, ConfigError, load_config
from tests.conftest import REPOSITORY

TABLE = {"train.rounds": "train.epochs", "gate": "evaluate", "old.deep": "new.far.deep"}


@pytest.mark.parametrize(
    ("raw", "moved"),
    [
        ({"train": {"rounds": 3, "seed": 1}}, {"train": {"epochs": 3, "seed": 1}}),
        ({"gate": {"split": "test"}}, {"evaluate": {"split": "test"}}),
        ({"old": {"deep": None}}, {"new": {"far": {"deep": None}}}),
        (
            {"old": {"deep": 1, "else": 2}, "new": {"x": 3}},
            {"old": {"else": 2}, "new": {"x": 3, "far": {"deep": 1}}},
        ),
        ({"train": {"epochs": 3}}, {"train": {"epochs": 3}}),
        ({"train": 3, "old": []}, {"train": 3, "old": []}),
        # What is no section where one belongs is left to the check of the types.
        ({"old": {"deep": 1}, "new": 4}, {"old": {"deep": 1}, "new": 4}),
    ],
)
def test_values_are_moved_to_where_they_belong(raw: dict[str, Any], moved: dict[str, Any]) -> None:
    renamed.move(raw, "moved.yaml", TABLE)
    assert raw == moved


def test_it_is_told_once_for_each_file(caplog: pytest.LogCaptureFixture) -> None:
    for source in ("one.yaml", "two.yaml", "one.yaml"):
        renamed.move({"train": {"rounds": 3}}, source, TABLE)
    renamed.move({"train": {"epochs": 3}}, "three.yaml", TABLE)
    assert caplog.messages == [
        f"{source}: train.rounds is called train.epochs now; the old name still works"
        for source in ("one.yaml", "two.yaml")
    ]


def test_what_is_no_key_any_more_is_left_out_and_told(caplog: pytest.LogCaptureFixture) -> None:
    raw = {"evaluate": {"confidence_intervals": True, "split": "test"}}
    renamed.drop(raw, "intervals.yaml")
    assert raw == {"evaluate": {"split": "test"}}
    assert caplog.messages == [
        "intervals.yaml: evaluate.confidence_intervals has no effect: every value has an interval now; remove it"
    ]


def test_both_names_are_refused() -> None:
    with pytest.raises(renamed.BothNamesError, match=r"c\.yaml: gate is the old name of evaluate, and both"):
        renamed.move({"gate": {}, "evaluate": {}}, "c.yaml", TABLE)


def test_paths_of_overrides() -> None:
    assert renamed.current("train.rounds", "--set", TABLE) == "train.epochs"
    assert renamed.current("gate.split", "--set", TABLE) == "evaluate.split"
    assert renamed.current("gateway", "--set", TABLE) == "gateway"


def test_a_configuration_with_old_names_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for old, new in TABLE.items():
        monkeypatch.setitem(renamed.RENAMED, old, new)
    raw = yaml.safe_load((REPOSITORY / "configs" / "digits.yaml").read_text())
    raw["gate"] = raw.pop("evaluate")
    raw["train"]["rounds"] = raw["train"].pop("epochs")
    path = tmp_path / "old.yaml"
    path.write_text(yaml.safe_dump(raw))
    assert load_config(path) == load_config(REPOSITORY / "configs" / "digits.yaml")
    assert f"{path}: train.rounds is called train.epochs now; the old name still works" in caplog.messages
    # An override wins over the file, whichever names the two use.
    for name in ("train.rounds", "train.epochs"):
        assert load_config(path, [f"{name}=2"]).train.epochs == 2
    assert load_config(path, ["train={rounds: 5}"]).train.epochs == 5
    with pytest.raises(ConfigError, match=r"--set: train\.rounds is the old name of train\.epochs"):
        load_config(path, ["train={rounds: 5, epochs: 6}"])


def test_every_new_name_is_a_key_of_today_and_no_old_one_is() -> None:
    for old, new in renamed.RENAMED.items():
        assert _is_key(new), f"{new}, which {old} is called now, is no key"
    for old in (*renamed.RENAMED, *renamed.REMOVED):
        assert not _is_key(old), f"{old} is still a key"


def _is_key(path: str) -> bool:
    section: Any = Config
    for part in path.split("."):
        fields = {field.alias or name: field for name, field in getattr(section, "model_fields", {}).items()}
        if part not in fields:
            return False
        section = fields[part].annotation
    return True
