"""The push: releases an approved model as the next version in the bucket."""

import json
import tempfile
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving.errors import UserError
from serving.release import retention
from serving.release.bucket import Bucket
from serving.release.digest import file_digest, file_digests, model_digest, model_files
from serving.release.journal import LEASE_SECONDS, JournalState, Turn, turn
from serving.release.open import open_bucket
from serving.release.placement import ReadBackError, Step, placement, verify
from serving.release.record import (
    ENTRY_FILES,
    RELEASE_FILE,
    WARMUP_FILE,
    Release,
    is_whole,
    latest_release,
    now,
    parse_version,
    read_release,
    version_folders,
)
from serving.version import commit, version


class NotApprovedError(UserError, RuntimeError):
    """No passing verdict names the digest of the model to push."""


class WithdrawnError(UserError, RuntimeError):
    """The model was withdrawn by a rollback, and is not released again by mistake."""


class NothingToPushError(UserError, ValueError):
    """The directory holds no model."""


@dataclass(frozen=True)
class Outcome:
    """The result of a push or a rollback.

    Attributes:
        release: the newest release.
        written: whether it was written now.
        message: the result in words.
    """

    release: Release
    written: bool
    message: str


def push(
    bucket: str | Path | Bucket,
    model_name: str,
    model_dir: str | Path,
    *,
    approved: Collection[str],
    verdicts: Sequence[Mapping[str, Any]] = (),
    lineage: Mapping[str, Any] | None = None,
    variant: str = "float",
    signatures: Sequence[str] = (),
    classes: Sequence[str] = (),
    inputs: Mapping[str, str] | None = None,
    split: Mapping[str, Any] | None = None,
    keep: int = 5,
    warmup: Path | None = None,
    force: bool = False,
    wait: float = 60.0,
    lease: float = LEASE_SECONDS,
    on_step: Step | None = None,
) -> Outcome:
    """Release a model as the next version.

    Args:
        bucket: a local path, s3:// or gs:// URL.
        model_name: the model's folder in the bucket.
        model_dir: the model: a SavedModel, or a folder with `model.tflite`.
        approved: the digests that passing verdicts of all gates name; any other model is refused.
        verdicts: the verdicts themselves, recorded in the release.
        lineage: where the model comes from, recorded in the release.
        variant: which of the optimized variants it is.
        signatures: the names of its signatures.
        classes: the names of its classes, in the order of their ids.
        inputs: the inputs of its default signature, each with TensorFlow's name of its type.
        split: the rule by which the data that it was made of was split.
        keep: how many of the newest versions to keep; older ones are deleted unless a label points to them.
        warmup: TF Serving's warm-up requests to release with the model.
        force: release it even if it was withdrawn by a rollback.
        wait: seconds to wait for another writer.
        lease: seconds without renewal after which another writer counts as dead.
        on_step: called with the name of each step before it is taken.

    Raises:
        NothingToPushError: the directory holds no model.
        NotApprovedError: no passing verdict names the model.
        WithdrawnError: the model was withdrawn by a rollback.
        BucketBusyError: another process is still writing after `wait`.
        ReadBackError: the bucket does not hold what was written.
    """
    step = on_step or (lambda _: None)
    folder = Path(model_dir)
    check_name(model_name)
    step("digest")
    files = model_files(folder)
    if not any(name in files for name in ENTRY_FILES):
        raise NothingToPushError(f"{folder} holds no model: it contains none of {', '.join(ENTRY_FILES)}")
    own = file_digests(folder)
    digest = model_digest(own)
    if digest not in approved:
        raise NotApprovedError(
            f"{folder} has the digest {digest}, but no passing verdict of all gates names it: the model was changed "
            "after the gates, or never passed them. Run the gates on this model"
        )
    if warmup:
        files[WARMUP_FILE] = warmup
    where = open_bucket(bucket)
    step("claim")
    with turn(where, model_name, "push", wait=wait, lease=lease) as mine:
        settle(where, model_name, mine, step)
        newest = latest_release(where, model_name)
        if newest and newest.digest == digest:
            message = f"already released as version {newest.version} of {model_name}; nothing pushed"
            return Outcome(newest, False, message)
        if digest in mine.state.withdrawn and not force:
            raise WithdrawnError(
                f"this model was released as version {mine.state.withdrawn[digest]} of {model_name} and rolled "
                f"back from; it is not released again unless forced (digest {digest})"
            )
        release = Release(
            model_name=model_name,
            version=next_version(where, model_name, mine.state),
            digest=digest,
            files={},
            size_bytes=sum(files[name].stat().st_size for name in own),
            created=now(),
            variant=variant,
            signatures=list(signatures),
            classes=list(classes),
            inputs=dict(inputs or {}),
            split=None if split is None else dict(split),
            lineage=dict(lineage or {}),
            verdicts=[dict(verdict) for verdict in verdicts],
        )
        release = write(where, mine, release, files, step)
        for version in retention.prune(where, model_name, keep, mine.state, step):
            step(f"version {version} deleted")
        step("finish")
    return Outcome(release, True, f"released as version {release.version} of {model_name} in {where.url}")


def check_name(model_name: str) -> None:
    """Raise ValueError for a model name that is invalid as a folder or in a REST path."""
    if not model_name or model_name.startswith(".") or any(c in model_name for c in "/\\:\0"):
        raise ValueError(f"model name {model_name!r}: it must be a plain folder name without '/' or ':'")


def settle(bucket: Bucket, model_name: str, mine: Turn, step: Step) -> None:
    """Finish what a dead writer left: keep a complete and verified version, delete everything else."""
    step("clean")
    version = mine.unfinished
    state = mine.state
    if version is not None:
        with suppress(FileNotFoundError):
            folder = version_folders(bucket.listing(model_name)).get(version, {})
            if is_whole(folder):
                state = _settle_whole(bucket, model_name, version, state, step)
    placement(bucket, model_name).clean(state.highest)
    mine.record(state)


def _settle_whole(
    bucket: Bucket, model_name: str, version: int, state: JournalState, step: Step
) -> JournalState:
    try:
        release = read_release(bucket, model_name, version)
        verify(bucket, model_name, version, release.files)
    except (ReadBackError, RuntimeError):
        placement(bucket, model_name).remove(version, step=step)
        return state
    return _after(state, release)


def write(bucket: Bucket, mine: Turn, release: Release, files: dict[str, Path], step: Step) -> Release:
    """Place a release whose files are known, and record it in the journal."""
    files = {name: path for name, path in files.items() if name != RELEASE_FILE}
    step("reserve")
    mine.record(mine.state.model_copy(update={"highest": release.version}), release.version)
    digests = {name: file_digest(path) for name, path in files.items()}
    release = release.model_copy(
        update={"files": digests, "slipway_version": version(), "commit": commit()},
    )
    with tempfile.TemporaryDirectory(prefix="slipway-release-") as scratch:
        record = Path(scratch) / "release.json"
        record.write_text(json.dumps(release.model_dump(mode="json"), indent=1, sort_keys=True) + "\n")
        placement(bucket, release.model_name).place(
            release.version,
            {**files, RELEASE_FILE: record},
            {**digests, RELEASE_FILE: file_digest(record)},
            step=step,
            may_publish=mine.check,
        )
    step("record")
    mine.record(_after(mine.state, release))
    return release


def _after(state: JournalState, release: Release) -> JournalState:
    """Return the journal's state after a release."""
    withdrawn = {**state.withdrawn, **(release.rollback.withdrawn if release.rollback else {})}
    withdrawn.pop(release.digest, None)
    highest = max(state.highest, release.version)
    return state.model_copy(update={"highest": highest, "withdrawn": withdrawn})


def next_version(bucket: Bucket, model_name: str, state: JournalState) -> int:
    """Return one more than any number ever used: by a release, by a push that died, or by hand."""
    used = [state.highest]
    with suppress(FileNotFoundError):
        for name in bucket.listing(model_name):
            version = parse_version(name.split("/")[0])
            used.append(version or 0)
    return max(used) + 1
