"""Cron expressions as people write them, five fields, in the dialects of the schedulers that read them."""

import re
from typing import Any

from serving.errors import UserError

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS = ("minute", "hour", "day", "month", "day_of_week")


class CronError(UserError, ValueError):
    """The expression is invalid; the message says why and what to write."""


def parse(expression: str) -> dict[str, str]:
    """Split `minute hour day month day_of_week` into its fields, the days of the week by name.

    Names are what all schedulers agree on: a number means another day in APScheduler (0 is Monday) than in cron
    (0 and 7 are Sunday).

    Raises:
        CronError: it does not have five fields, restricts both kinds of day, or does not parse.
    """
    parts = expression.split()
    if len(parts) != 5:
        raise CronError(
            f"{expression!r} has {len(parts)} fields; write five: minute hour day month day_of_week, "
            "such as '0 3 * * *' for three in the morning"
        )
    fields = dict(zip(_FIELDS, (part.lower() for part in parts), strict=True))
    if fields["day"] != "*" and fields["day_of_week"] != "*":
        raise CronError(
            f"{expression!r} restricts day and day_of_week; schedulers disagree on whether both or either must "
            "match. Make two schedules"
        )
    fields["day_of_week"] = _days(fields["day_of_week"], expression)
    try:
        trigger(fields)
    except ValueError as error:
        raise CronError(f"{expression!r}: {error}") from None
    return fields


def trigger(fields: dict[str, str], timezone: Any = None) -> Any:
    """Make APScheduler's trigger of parsed fields; local time unless a time zone is given."""
    from apscheduler.triggers.cron import CronTrigger

    return CronTrigger(**fields, timezone=timezone)


def six_fields(expression: str) -> str:
    """Turn five fields into the six that Kubeflow Pipelines reads; it silently misreads five.

    Its parser (robfig/cron) has the seconds first, and takes five fields for six without the day of the week.

    Raises:
        CronError: as `parse`.
    """
    return " ".join(["0", *parse(expression).values()])


def _days(field: str, expression: str) -> str:
    if field == "*":
        return field
    days: list[int] = []
    for part in field.split(","):
        matched = re.fullmatch(r"(\*|\w+)(?:-(\w+))?(?:/(\d+))?", part)
        if not matched:
            raise CronError(f"{expression!r}: {part!r} is not a day of the week")
        first, last, step = matched.groups()
        if first == "*":
            start, end = 0, 6
        else:
            start = _day(first, expression)
            end = _day(last, expression) if last else (6 if step else start)
        if end < start and end == 0:
            end = 7
        if end < start or step == "0":
            raise CronError(f"{expression!r}: {part!r} is not a range of days")
        days += range(start, end + 1, int(step or 1))
    return ",".join(_DAYS[day] for day in sorted({day % 7 for day in days}))


def _day(text: str, expression: str) -> int:
    if text in _DAYS:
        return _DAYS.index(text)
    if text.isdigit() and int(text) <= 7:
        return int(text)
    raise CronError(f"{expression!r}: {text!r} is not a day of the week; write 0 to 7 or sun to sat")
