"""Retention: which versions stay in the bucket, and the labels that keep them there."""

from collections.abc import Collection
from pathlib import Path

from serving.release.bucket import Bucket
from serving.release.journal import JournalState, read_state, turn
from serving.release.open import open_bucket
from serving.release.placement import Step, placement
from serving.release.record import Release, ReleaseError, list_versions, releases


def labels(bucket: str | Path | Bucket, model_name: str) -> dict[str, int]:
    """Return the labels of a model's versions."""
    return dict(read_state(open_bucket(bucket), model_name).labels)


def set_label(bucket: str | Path | Bucket, model_name: str, label: str, version: int | None) -> None:
    """Point a label at a version, which retention then keeps; None removes the label.

    Raises:
        ReleaseError: there is no such version.
    """
    where = open_bucket(bucket)
    with turn(where, model_name, f"label {label}") as mine:
        have = list_versions(where, model_name)
        if version is not None and version not in have:
            raise ReleaseError(
                f"cannot label version {version} of {model_name} as {label!r}; existing versions: "
                f"{have or 'none'}"
            )
        kept = {name: number for name, number in mine.state.labels.items() if name != label}
        if version is not None:
            kept[label] = version
        mine.record(mine.state.model_copy(update={"labels": kept}), mine.unfinished)


def prune(
    bucket: Bucket, model_name: str, keep: int, state: JournalState, step: Step = lambda _: None
) -> list[int]:
    """Delete and return the versions that `expendable` returns; the caller holds the turn."""
    versions = expendable(releases(bucket, model_name), keep, state.labels.values(), state.withdrawn)
    for version in versions:
        placement(bucket, model_name).remove(version, step=step)
    return versions


def expendable(
    have: list[Release], keep: int, pinned: Collection[int], withdrawn: Collection[str]
) -> list[int]:
    """Return the versions that may be deleted: not among the newest `keep`, not labelled, not the newest good one.

    Args:
        have: the existing releases, oldest first.
        keep: how many of the newest to keep, at least 1.
        pinned: versions that a label points to.
        withdrawn: digests withdrawn by rollbacks, which do not count as good.
    """
    stay = {release.version for release in have[-max(keep, 1) :]} | set(pinned)
    good = [release.version for release in have if release.digest not in withdrawn]
    stay.update(good[-1:])
    return [release.version for release in have if release.version not in stay]
