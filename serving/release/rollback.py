"""The rollback: an old model becomes the newest version again, and the models that it replaces are withdrawn."""

import tempfile
from pathlib import Path

from serving.release import fetch
from serving.release.bucket import Bucket
from serving.release.digest import model_files
from serving.release.journal import LEASE_SECONDS, turn
from serving.release.open import open_bucket
from serving.release.placement import Step
from serving.release.push import Outcome, check_name, next_version, settle, write
from serving.release.record import (
    RELEASE_FILE,
    Rollback,
    latest_release,
    now,
    read_release,
    releases,
)
from serving.release.writer import user_name


def rollback(
    bucket: str | Path | Bucket,
    model_name: str,
    to: int,
    reason: str,
    *,
    wait: float = 60.0,
    lease: float = LEASE_SECONDS,
    on_step: Step | None = None,
) -> Outcome:
    """Make an old model the newest version again, so that "latest" serves it.

    The reason, and what it replaced, are recorded in the new version's record. The models released after `to` are
    withdrawn: a push of one of them is refused unless forced.

    Raises:
        ReleaseError: version `to` does not exist, or is not a complete release.
        BucketBusyError: another process is still writing after `wait`.
    """
    step = on_step or (lambda _: None)
    where = open_bucket(bucket)
    check_name(model_name)
    step("claim")
    with turn(where, model_name, f"rollback to {to}", wait=wait, lease=lease) as mine:
        settle(where, model_name, mine, step)
        old = read_release(where, model_name, to)
        current = latest_release(where, model_name) or old
        if current.digest == old.digest:
            message = f"version {current.version} of {model_name} is already the model of version {to}"
            return Outcome(current, False, message)
        with tempfile.TemporaryDirectory(prefix="slipway-rollback-") as scratch:
            step("fetch")
            folder = fetch.fetch(where, model_name, to, Path(scratch) / "model")
            files = {name: path for name, path in model_files(folder).items() if name != RELEASE_FILE}
            later = [one for one in releases(where, model_name) if one.version > to]
            record = Rollback(
                from_version=current.version,
                to_version=to,
                reason=reason,
                time=now(),
                by=user_name(),
                withdrawn={one.digest: one.version for one in later if one.digest != old.digest},
            )
            version = next_version(where, model_name, mine.state)
            release = old.model_copy(update={"version": version, "created": now(), "rollback": record})
            release = write(where, mine, release, files, step)
        step("finish")
    message = (
        f"version {version} of {model_name} is the model of version {to} again; "
        f"{current.version} is withdrawn"
    )
    return Outcome(release, True, message)
