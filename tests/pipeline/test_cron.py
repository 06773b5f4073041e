from datetime import UTC, datetime

import pytest

from pipeline.cron import CronError, parse, six_fields, trigger


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("0 3 * * *", "0 0 3 * * *"),
        ("*/5 * * * *", "0 */5 * * * *"),
        ("30 6 * * 1-5", "0 30 6 * * mon,tue,wed,thu,fri"),
        ("0 0 1 jan,jul *", "0 0 0 1 jan,jul *"),
        ("0 0 * * 7", "0 0 0 * * sun"),
        ("0 0 * * 5-7", "0 0 0 * * sun,fri,sat"),
        ("0 0 * * */2", "0 0 0 * * sun,tue,thu,sat"),
        ("0 0 * * fri-sun", "0 0 0 * * sun,fri,sat"),
    ],
)
def test_five_fields_become_the_six_that_kubeflow_reads(written: str, sent: str) -> None:
    assert six_fields(written) == sent


@pytest.mark.parametrize(
    ("day", "name"), [("0", "Sunday"), ("1", "Monday"), ("6", "Saturday"), ("7", "Sunday")]
)
def test_a_number_means_crons_day_of_the_week(day: str, name: str) -> None:
    fires = trigger(parse(f"0 3 * * {day}"), UTC).get_next_fire_time(None, datetime(2026, 11, 21, tzinfo=UTC))
    assert f"{fires:%A %H:%M}" == f"{name} 03:00"


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("0 0 3 * * *", "6 fields"),
        ("0 3 * *", "4 fields"),
        ("61 3 * * *", "61"),
        ("0 3 * * 8", "'8' is not a day"),
        ("0 3 * * someday", "someday"),
        ("0 3 * * 5-2", "not a range"),
        ("0 3 1 * 1", "two schedules"),
        ("x 3 * * *", "x"),
    ],
)
def test_what_is_not_cron_is_refused_with_what_to_write(expression: str, complaint: str) -> None:
    with pytest.raises(CronError, match=complaint):
        six_fields(expression)
