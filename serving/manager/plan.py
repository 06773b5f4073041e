"""Decides the next steps for a model's versions, without taking them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from serving.manager.state import Version, VersionState

_REMEMBERED = 50
# A load that takes longer is no longer counted, or a few that hang would keep out all others.
_LONG_LOAD_SECONDS = 60.0


@dataclass
class Plan:
    """The next steps.

    Attributes:
        load: versions to start loading, the newest first.
        retire: available versions that get no new requests from now on.
        free: retired versions that no request holds any more, and that nobody is unloading yet.
    """

    load: list[Version] = field(default_factory=list)
    retire: list[Version] = field(default_factory=list)
    free: list[Version] = field(default_factory=list)


def aspire(model: str, versions: dict[int, Version], wanted: Mapping[int, str]) -> None:
    """Set the aspired versions, and where they are.

    A version that has ended is loaded again only if it was not aspired in between, or is somewhere else now. From
    there it is also loaded if its load has not ended yet: that may hang, and whoever configured it may have put it
    right. A version that is loaded, or being unloaded, stays as it is; call this again when it is unloaded.
    """
    for number, source in wanted.items():
        old = versions.get(number)
        if old is None or _is_to_be_replaced(old, source):
            versions[number] = Version(model, number, source)
        elif old.source == source and old.state is not VersionState.UNLOADING:
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
        if version.users == 0
        and version.engine is not None
        and (version.state is VersionState.UNLOADING or version in plan.retire)
    ]
    cleared = all(version.state is VersionState.END for version in unwanted)
    if preserve_availability or cleared:
        due = [
            version for version in wanted if version.state is VersionState.START and version.retry_at <= now
        ]
        plan.load = sorted(due, key=lambda version: -version.number)
    return plan


def _is_to_be_replaced(old: Version, source: str) -> bool:
    """Return whether a version is to be loaded anew, from where it is now."""
    if old.state is VersionState.END:
        return not old.aspired or old.source != source
    return old.state in (VersionState.START, VersionState.LOADING) and old.source != source


def count_loads(versions: Iterable[Version], now: float) -> int:
    """Return how many loads count against the number of those that may run in parallel."""
    return sum(
        version.state is VersionState.LOADING
        and version.aspired
        and now - version.started < _LONG_LOAD_SECONDS
        for version in versions
    )


def next_time(versions: Iterable[Version], now: float) -> float:
    """Return when, after `now`, time alone makes a load due: a retry, or one that waits for another's place."""
    times = [
        version.retry_at if version.state is VersionState.START else version.started + _LONG_LOAD_SECONDS
        for version in versions
        if version.state in (VersionState.START, VersionState.LOADING)
    ]
    return min((at for at in times if at > now), default=float("inf"))
