from pathlib import Path

import pytest

from pipeline.config import ConfigError, load_config
from tests.conftest import REPOSITORY

SHIPPED = sorted((REPOSITORY / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_configuration_loads(path: Path) -> None:
    assert load_config(path).evaluate.thresholds


def _changed(tmp_path: Path, old: str, new: str) -> Path:
    text = (REPOSITORY / "configs" / "digits.yaml").read_text()
    assert old in text
    path = tmp_path / "changed.yaml"
    path.write_text(text.replace(old, new))
    return path


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  epochs: 40", "  epoch: 40", "train.epoch: unknown key; did you mean epochs?"),
        ("  path: samples/digits", "  paht: samples/digits", "data.paht: unknown key; did you mean path?"),
        ("model_name: digits\n", "", "model_name: missing, and required"),
        ("model_name: digits", "model_name: ../x", "becomes a folder and a URL"),
        ("  epochs: 40", "  epochs: many", "train.epochs: Input should be a valid integer"),
        ("  module: cnn", "  module: gan", "module is one of cnn, lstm or the path of a .py file, not 'gan'"),
        ("  inputs: [image]", "  inputs: [label]", "the model would read the answer"),
        (
            "  bucket: bucket",
            "  bucket: ftp://models",
            "push.bucket: bucket URL 'ftp://models': the scheme 'ftp' is not",
        ),
        ("  image_shape: [8, 8, 1]", "  image_shape: [8, 8, 2]", "with 1, 3 or 4 channels"),
        ("lower_bound: 0.94, max_drop: 0.01}", "lower_bond: 0.94}", "did you mean lower_bound?"),
        ("lower_bound: 0.94, max_drop: 0.01}", "}", "the threshold on accuracy has no bound"),
        (
            "metric: accuracy, lower_bound: 0.94",
            "metric: recall, class_name: x, lower_bound: 0.9",
            "'x' is not in",
        ),
        ("  inputs: [image]", "  inputs: image", "preprocess.inputs: a list is expected, such as [one, two]"),
        ("lower_bound: 0.94", "lower_bound: .nan", "lower_bound: a finite number is expected"),
        ("lower_bound: 0.94", "lower_bound: 94", "lower_bound of accuracy is between 0 and 1, not 94"),
        ("max_drop: 0.01", "max_drop: 1.5", "max_drop of accuracy is between -1 and 1, not 1.5"),
        ("  epochs: 40", "  seed: 4294967296", "train.seed: Input should be less than 4294967296"),
        ("  epochs: 40", "  class_weights: {a: -1}", "train.class_weights.a: Input should be greater"),
        ("  path: samples/digits", "  path: ''", "data.path is empty"),
        ("model_name: digits", f"model_name: {'m' * 101}", "at most 99 letters, digits"),
        ("model_name: digits", "model_name: 2026-01-31", "YAML reads this as a date, not as text"),
        (
            "model_name: digits",
            "model_name: digits\n\tx: 1",
            "not valid YAML: a tab; YAML is indented by spaces",
        ),
        ("model_name: digits", "model_name: digits\nruns: &a [*a]", "a value holds itself, by an anchor"),
    ],
)
def test_a_mistake_is_named_with_its_field_and_what_to_do(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    path = _changed(tmp_path, old, new)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)


def test_a_gate_without_thresholds_is_an_error(tmp_path: Path) -> None:
    text = (REPOSITORY / "configs" / "digits.yaml").read_text()
    head, _, tail = text.partition("  thresholds:")
    path = tmp_path / "none.yaml"
    path.write_text(head + "  thresholds: []\npush:" + tail.partition("push:")[2])
    with pytest.raises(ConfigError, match="a gate without a threshold would pass anything"):
        load_config(path)


def test_a_missing_file_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load_config(tmp_path / "absent.yaml")


def test_overrides_reach_any_key_and_a_wrong_one_is_refused() -> None:
    path = REPOSITORY / "configs" / "digits.yaml"
    config = load_config(
        path,
        [
            "train.epochs=2",
            "push.bucket=s3://models",
            "data.path=my [v2] #1.csv",
            "runs='r #1' # a comment",
            "model.hyperparameters={filters: [4]}",
        ],
    )
    assert (config.train.epochs, config.push.bucket) == (2, "s3://models")
    assert (config.data.path, config.runs) == ("my [v2] #1.csv", "r #1")
    assert config.model.hyperparameters == {"filters": [4]}
    with pytest.raises(ConfigError, match=r"train\.epoch: unknown key; did you mean epochs\?"):
        load_config(path, ["train.epoch=2"])
    with pytest.raises(ConfigError, match=r"write key\.sub_key=value"):
        load_config(path, ["train.epochs"])


def test_the_gates_judge_on_the_test_split_where_there_is_one() -> None:
    path = REPOSITORY / "configs" / "digits.yaml"
    assert load_config(path).evaluation_split == "test"
    assert load_config(path, ["data.ratios={train: 8, eval: 2, test: 0}"]).evaluation_split == "eval"
    with pytest.raises(ConfigError, match=r"evaluate\.split is 'nope'"):
        load_config(path, ["evaluate.split=nope"])


def test_pictures_are_one_input_that_is_called_image() -> None:
    with pytest.raises(
        ConfigError, match=r"preprocess\.inputs must be \[image\]: that is what format idx has"
    ):
        load_config(
            REPOSITORY / "configs" / "digits.yaml", ["data.format=idx", "preprocess.inputs=[picture]"]
        )


def test_a_wrong_key_or_entry_is_said_once_and_at_its_place(tmp_path: Path) -> None:
    path = _changed(tmp_path, "  epochs: 40", "  class_weights: {0: 1}")
    with pytest.raises(ConfigError) as caught:
        load_config(path, ["preprocess.inputs=[[a]]", "preprocess.missing.a.strat=mean"])
    assert str(caught.value).splitlines() == [
        f'{path}: train.class_weights.0: YAML reads this as 0, not as text: put it in quotes, such as "0"',
        f"{path}: preprocess.inputs.0: text is expected",
        f"{path}: preprocess.missing.a.strat: unknown key; did you mean strategy?",
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("classes: ", "classes: [yes, no] #", r"data\.classes\.0: YAML reads yes, no, .* put it in quotes"),
        ("classes: ", "classes: [1, 2] #", r'data\.classes\.0: YAML reads this as 1, .* such as "1"'),
        ("model_name: ", "model_name: twice\nmodel_name: ", "the key 'model_name' is there twice"),
    ],
)
def test_what_yaml_reads_otherwise_than_meant_is_told(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_config(_changed(tmp_path, old, new))


def test_an_empty_section_is_one_of_defaults(tmp_path: Path) -> None:
    path = tmp_path / "empty.yaml"
    path.write_text((REPOSITORY / "configs" / "digits.yaml").read_text() + "\nkubeflow:\n")
    assert load_config(path) == load_config(REPOSITORY / "configs" / "digits.yaml")


def test_a_folder_and_other_encodings_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a folder; name the YAML file"):
        load_config(tmp_path)
    path = tmp_path / "utf16.yaml"
    path.write_text("model_name: x\n", encoding="utf-16")
    with pytest.raises(ConfigError, match=r"utf16\.yaml: not UTF-8"):
        load_config(path)
    text = (REPOSITORY / "configs" / "digits.yaml").read_text()
    path.write_text(text, encoding="utf-8-sig")
    assert load_config(path) == load_config(REPOSITORY / "configs" / "digits.yaml")


def test_a_tilde_is_the_home_folder_in_every_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "c.yaml").write_text((REPOSITORY / "configs" / "digits.yaml").read_text())
    config = load_config(
        "~/c.yaml",
        ["data.path=~/raw", "push.bucket=~/bucket", "runs=~/runs", "optimize.modules={mine: ~/mine.py}"],
    )
    assert config.data.path == f"{tmp_path}/raw"
    assert (config.push.bucket, config.runs) == (f"{tmp_path}/bucket", f"{tmp_path}/runs")
    assert config.optimize.modules == {"mine": f"{tmp_path}/mine.py"}
