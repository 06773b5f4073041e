"""`slipway schema` against the statistics of the latest run, which here are written by hand."""

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from components.schema.infer import infer
from components.schema.text import SchemaError, classes_of, kept_digest, read_schema, write_inferred
from pipeline import schema as schemas
from pipeline.config import Config, parse_config
from pipeline.summary import Summary, write_summary
from tests.components.schema.conftest import GOOD, statistics_of

RAW: dict[str, Any] = {
    "model_name": "small",
    "data": {"format": "csv", "path": "rows.csv", "label": "label"},
    "preprocess": {"module": "own.py", "inputs": ["size", "colour"]},
    "model": {"module": "own.py"},
    "evaluate": {"thresholds": [{"metric": "accuracy", "lower_bound": 0.5}]},
    "push": {"bucket": "bucket"},
}


def _config(**data: Any) -> Config:
    return parse_config({**RAW, "data": {**RAW["data"], **data}}, "c.yaml")


def _used(**data: Any) -> schemas.Invocation:
    return schemas.Invocation(_config(**data), "my c.yaml", ["train.epochs=1"])


def _printed(command: Any, used: schemas.Invocation) -> str:
    screen = io.StringIO()
    command(Console(file=screen, width=400), used)
    return screen.getvalue()


def _kept() -> Path:
    """Keep the schema of the first delivery, as the first run does."""
    first = statistics_of(**{**GOOD, "size": [0.0, 10.0] * 4, "label": ["a", "b"] * 4})
    path = _config().inferred_schema_path
    write_inferred(infer([first], "label", None), path)
    return path


def _delivered(columns: dict[str, list[Any]]) -> None:
    """Leave what a run leaves that the data gate refused."""
    for split in ("train", "eval", "test"):
        path = Path(f"statistics/Split-{split}/FeatureStats.pb")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(statistics_of(**columns).SerializeToString())
    write_summary(
        Summary(
            run_id="20260101-000000-small-0000",
            model_name="small",
            config="c.yaml",
            bucket="bucket",
            started="",
            seconds=1.0,
            outcome="refused",
            message="",
            version=None,
            stages=(),
            verdicts=(),
            outputs={"StatisticsGen": {"statistics": "statistics"}},
        ),
        "runs",
    )


SECOND: dict[str, list[Any]] = {
    "size": [300.0] * 8,
    "colour": ["red"] * 8,
    "shape": ["round"] * 8,
    "label": ["a", "b", "0", "b"] * 2,
}


def test_the_second_delivery_is_compared_and_taken_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = _kept()
    _delivered(SECOND)
    shown = _printed(schemas.compare, _used())
    for line in (
        "count: gone: expected whole numbers, found a value in none of 24 rows  (no stage reads it)",
        "label: expected a, b; found 0 too, in 6 of 24 rows",
        "shape: new: the schema does not have it; found text in 24 of 24 rows  (no stage reads it)",
        "size: expected -5 to 15, found 300 to 300: outside in about 24 of 24 rows",
        "slipway schema --update -c 'my c.yaml' --set train.epochs=1   takes what",
    ):
        assert line in shown
    taken = _printed(schemas.update, _used())
    for line in (
        "count: dropped, which the data no longer has and no stage reads",
        "label: classes a, b, 0 (added 0)",
        "shape: added, text",
        "size: -5 to 600, no longer -5 to 15",
        f"written: {path}",
        "slipway run -c 'my c.yaml' --set train.epochs=1",
    ):
        assert line in taken
    assert kept_digest(_config().schema_path, path), "the cache is to notice"
    assert "no difference" in _printed(schemas.compare, _used())
    assert "nothing to change" in _printed(schemas.update, _used())


def test_a_column_that_is_read_and_gone_stays_and_the_way_out_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = _kept()
    before = path.read_text()
    _delivered({name: values for name, values in GOOD.items() if name != "size"})
    taken = _printed(schemas.update, _used())
    assert (
        "left as it is: size: gone: expected numbers, found a value in none of 24 rows. Mend the data, or "
        in taken
    )
    assert "take the column out of preprocess.inputs" in taken
    assert path.read_text() == before


def test_the_reviewed_schema_is_the_one_that_is_updated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    inferred = _kept()
    _printed(schemas.accept, _used())
    before = inferred.read_text()
    reviewed = _config().schema_path
    reviewed.write_text("# reviewed by Ann\n" + reviewed.read_text())
    _delivered(SECOND)
    assert f"written: {reviewed}" in _printed(schemas.update, _used())
    assert inferred.read_text() == before
    assert reviewed.read_text().startswith("# reviewed by Ann\n")
    assert classes_of(read_schema(reviewed), "label") == ["a", "b", "0"]


def test_changed_classes_stop_a_run_and_are_taken_by_the_update_without_any_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = _kept()
    changed = _used(classes=["b", "a", "c"])
    with pytest.raises(
        SchemaError, match=r"only data\.classes has c\. .*schema --update -c 'my c\.yaml' --set"
    ):
        schemas.check_kept_classes(changed.config, changed.path, changed.overrides)
    assert "label: classes b, a, c (added c)" in _printed(schemas.update, changed)
    assert classes_of(read_schema(path), "label") == ["b", "a", "c"]
    schemas.check_kept_classes(changed.config, changed.path, changed.overrides)


def test_without_a_schema_or_a_run_it_is_said_what_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(schemas.NoSchemaError, match=r"run it first: .*slipway run -c 'my c\.yaml'"):
        _printed(schemas.compare, _used())
    _kept()
    for command in (schemas.compare, schemas.update):
        with pytest.raises(
            schemas.NoSchemaError, match=r"there is no run of small .*slipway run -c 'my c\.yaml'"
        ):
            _printed(command, _used())
