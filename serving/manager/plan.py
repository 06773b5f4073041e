"""Decides the next steps for a model's versions, without taking them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from serving.manager.state import Version, VersionState

_REMEMBERED = 50


@dataclass
class Plan:
    """The next steps.

    Attributes:
        load: versions to start loading, the newest first.
        retire: available versions that get no new requests from now on.
        free: retired versions that no request holds any more.
    """

    load: list[Version] = field(default_factory=list)
    retire: list[Version] = field(default_factory=list)
    free: list[Version] = field(default_factory=list)


def aspire(model: str, versions: dict[int, Version], wanted: Mapping[int, str]) -> None:
    """Set the aspired versions, and where they are.

    A version that has ended is loaded again only if it was not aspired in between.
    """
    for number, source in wanted.items():
        old = versions.get(number)
        if old is None or (old.state is VersionState.END and not old.aspired):
            versions[number] = Version(model, number, source)
        elif not old.aspired and old.state in (
            VersionState.START,
            VersionState.LOADING,
            VersionState.AVAILABLE,
        ):
            old.aspired = True
    for number, version in versions.items():
        if number not in wanted:
            version.aspired = False
    ended = sorted(n for n, v in versions.items() if v.state is VersionState.END and not v.aspired)
    for number in ended[:-_REMEMBERED]:
        del versions[number]


def decide(versions: list[Version], now: float, *, preserve_availability: bool) -> Plan:
    """Return the next steps for one model.

    Args:
        versions: all of its versions.
        now: the time on the monotonic clock.
        preserve_availability: unload an old version only when an aspired one is available; otherwise unload it
            first, so that there are never two in memory.
    """
    plan = Plan()
    wanted = [version for version in versions if version.aspired]
    unwanted = [version for version in versions if not version.aspired]
    covered = not wanted or any(version.state is VersionState.AVAILABLE for version in wanted)
    for version in unwanted:
        if version.state is VersionState.START:
            version.state = VersionState.END
        elif version.state is VersionState.AVAILABLE and (covered or not preserve_availability):
            plan.retire.append(version)
    plan.free = [
        version
        for version in versions
        if version.users == 0 and (version.state is VersionState.UNLOADING or version in plan.retire)
    ]
    cleared = all(version.state is VersionState.END for version in unwanted)
    if preserve_availability or cleared:
        due = [
            version for version in wanted if version.state is VersionState.START and version.retry_at <= now
        ]
        plan.load = sorted(due, key=lambda version: -version.number)
    return plan
