"""What to do next with a model's versions, decided without doing it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from serving.manager.state import Version, VersionState

_REMEMBERED = 50


@dataclass
class Plan:
    """What is to be done now.

    Attributes:
        load: versions to start loading, the most wanted first.
        retire: available versions that get no new requests from now on.
        free: retired versions that no request uses any more.
    """

    load: list[Version] = field(default_factory=list)
    retire: list[Version] = field(default_factory=list)
    free: list[Version] = field(default_factory=list)


def aspire(model: str, versions: dict[int, Version], wanted: Mapping[int, str]) -> None:
    """Notes which versions are wanted, and from where.

    A version that has ended is tried anew only when it was not wanted in between.
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
    """The next steps for one model.

    Args:
        versions: all of its versions.
        now: the monotonic clock.
        preserve_availability: an old version goes only when a wanted one can answer; else it goes first, so that
            never two are in memory.
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
