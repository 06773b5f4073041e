from pathlib import Path

import pytest

from pipeline.summary import NoRunError, Summary, new_run_id, read_summary, write_summary


def _summary(run_id: str, model_name: str = "digits") -> Summary:
    return Summary(
        run_id=run_id,
        model_name=model_name,
        config="c.yaml",
        bucket="bucket",
        started="now",
        seconds=1.0,
        outcome="pushed",
        message="",
        version=1,
        stages=(),
        verdicts=(),
        outputs={},
    )


def test_the_latest_run_of_a_model_is_found_and_a_named_one_too(tmp_path: Path) -> None:
    for run_id, model in (("20260101-a", "digits"), ("20260102-b", "digits"), ("20260103-c", "reviews")):
        write_summary(_summary(run_id, model), tmp_path)
    assert read_summary(tmp_path, model_name="digits").run_id == "20260102-b"
    assert read_summary(tmp_path).run_id == "20260103-c"
    assert read_summary(tmp_path, "20260101-a").run_id == "20260101-a"


def test_a_run_that_is_not_there_is_an_error_that_names_those_that_are(tmp_path: Path) -> None:
    write_summary(_summary("20260101-a"), tmp_path)
    with pytest.raises(NoRunError, match=r"there is no run 'x' .*latest: 20260101-a"):
        read_summary(tmp_path, "x")
    with pytest.raises(NoRunError, match=r"there is no run of other"):
        read_summary(tmp_path, model_name="other")


def test_a_run_killed_before_its_end_has_no_record_and_is_passed_over(tmp_path: Path) -> None:
    write_summary(_summary("20260101-a"), tmp_path)
    (tmp_path / "20260102-killed").mkdir()
    assert read_summary(tmp_path).run_id == "20260101-a"


def test_names_of_runs_differ() -> None:
    assert new_run_id("m") != new_run_id("m")
