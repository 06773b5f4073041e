"""A pusher killed at every step, two pushers at once, and a store that does not keep what it was given."""

import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from serving.release import placement
from serving.release.bucket import Bucket
from serving.release.fetch import fetch
from serving.release.folder import LocalBucket
from serving.release.journal import PRIVATE, BucketBusyError, TurnLostError
from serving.release.object_store import ObjectBucket
from serving.release.open import open_bucket
from serving.release.push import push
from serving.release.record import (
    ReleaseError,
    is_whole,
    latest_release,
    list_versions,
    version_folders,
)
from serving.release.rollback import rollback
from tests.serving.models import digest_of, fake_model

# Pushes (or rolls back) in a process of its own, which kills or stops itself before the step of a number.
_CHILD = """
import os, signal, sys
from serving.release.push import push
from serving.release.rollback import rollback
bucket, model, digest, action, die_at, how = sys.argv[1:]
count = 0
def on_step(name):
    global count
    print(name, flush=True)
    if count == int(die_at):
        os.kill(os.getpid(), getattr(signal, how))
    count += 1
try:
    if action == "push":
        done = push(bucket, "m", model, approved=[digest], keep=1, lease=1.0, on_step=on_step)
    else:
        done = rollback(bucket, "m", 1, "test", lease=1.0, on_step=on_step)
    print("DONE", done.release.version)
except Exception as error:
    print("ERROR", type(error).__name__, error)
"""


def start(
    bucket_url: str, model: Path, *, action: str = "push", die_at: int = -1, how: str = "SIGKILL"
) -> "subprocess.Popen[str]":
    arguments = [bucket_url, str(model), digest_of(model), action, str(die_at), how]
    return subprocess.Popen([sys.executable, "-c", _CHILD, *arguments], stdout=subprocess.PIPE, text=True)


def steps_of(bucket_url: str, model: Path, action: str) -> list[str]:
    """The steps of an undisturbed run."""
    output, _ = start(bucket_url, model, action=action).communicate(timeout=60)
    *steps, done = output.splitlines()
    assert done.startswith("DONE"), output
    return steps


@contextmanager
def reader(bucket_url: str, scratch: Path) -> Iterator[list[str]]:
    """Polls as a server does; collects every version that it saw and could not fetch whole."""
    torn: list[str] = []
    stop = threading.Event()
    bucket = open_bucket(bucket_url)

    def poll() -> None:
        checked: set[int] = set()
        while not stop.is_set():
            for version in list_versions(bucket, "m"):
                if version in checked:
                    continue
                with tempfile.TemporaryDirectory(dir=scratch) as folder:
                    try:
                        fetch(bucket, "m", version, Path(folder) / "copy")
                        checked.add(version)
                    except (ReleaseError, OSError) as error:
                        if version in list_versions(bucket, "m"):  # else it was deleted meanwhile
                            torn.append(f"{version}: {error}")
            time.sleep(0.02)

    thread = threading.Thread(target=poll)
    thread.start()
    try:
        yield torn
    finally:
        stop.set()
        thread.join()


def assert_no_debris(bucket_url: str) -> None:
    bucket = open_bucket(bucket_url)
    names = bucket.listing("m")
    assert all(is_whole(files) for files in version_folders(names).values())
    assert [name for name in names if name.startswith((f"{PRIVATE}/staging", f"{PRIVATE}/trash"))] == []


@pytest.mark.run
def test_a_push_killed_at_any_step_leaves_nothing_torn(bucket_url: str, tmp_path: Path) -> None:
    old, new = fake_model(tmp_path / "old", "old"), fake_model(tmp_path / "new", "new")
    probe = f"{bucket_url}-probe"
    push(probe, "m", old, approved=[digest_of(old)])
    steps = steps_of(probe, new, "push")
    assert len(steps) >= 10
    for number, name in enumerate(steps):
        url = f"{bucket_url}-{number}"
        push(url, "m", old, approved=[digest_of(old)])
        with reader(url, tmp_path) as torn:
            child = start(url, new, die_at=number)
            output, _ = child.communicate(timeout=60)
            assert child.returncode == -signal.SIGKILL, output
            assert list_versions(url, "m"), f"killed before '{name}': no version is left"
            done = push(url, "m", new, approved=[digest_of(new)], keep=1)
        assert torn == [], f"killed before '{name}'"
        assert done.release.digest == digest_of(new)
        # A killed push that had become visible counts; then its retention is made up for by the next push.
        assert list_versions(url, "m")[-1] == done.release.version
        assert done.release.version in (2, 3)
        assert_no_debris(url)


@pytest.mark.run
def test_a_rollback_killed_at_any_step_is_done_or_not_done(bucket_url: str, tmp_path: Path) -> None:
    one, two = fake_model(tmp_path / "one", "one"), fake_model(tmp_path / "two", "two")

    def prepare(url: str) -> None:
        for model in (one, two):
            push(url, "m", model, approved=[digest_of(model)])

    prepare(f"{bucket_url}-probe")
    steps = steps_of(f"{bucket_url}-probe", one, "rollback")
    for number, name in enumerate(steps[3:], start=3):  # before "fetch" it is as with a push
        url = f"{bucket_url}-{number}"
        prepare(url)
        with reader(url, tmp_path) as torn:
            start(url, one, action="rollback", die_at=number).communicate(timeout=60)
            done = rollback(url, "m", 1, "again")
        assert torn == [], f"killed before '{name}'"
        latest = latest_release(url, "m")
        assert latest == done.release
        assert latest is not None
        assert latest.digest == digest_of(one)
        with pytest.raises(RuntimeError, match="rolled back from"):
            push(url, "m", two, approved=[digest_of(two)])
        assert_no_debris(url)


@pytest.mark.run
def test_two_pushers_at_once_write_two_versions(bucket_url: str, tmp_path: Path) -> None:
    models = [fake_model(tmp_path / f"model-{n}", str(n)) for n in range(4)]
    with reader(bucket_url, tmp_path) as torn:
        children = [start(bucket_url, model) for model in models]
        outputs = [child.communicate(timeout=60)[0] for child in children]
    versions = sorted(int(output.split()[-1]) for output in outputs)
    assert versions == [1, 2, 3, 4], outputs
    assert torn == []
    assert list_versions(bucket_url, "m") == [4]


def test_a_live_pusher_is_waited_for_and_then_named(bucket_url: str, tmp_path: Path) -> None:
    model = fake_model(tmp_path / "model", "x")
    other = fake_model(tmp_path / "other", "y")
    entered, leave = threading.Event(), threading.Event()

    def hold(step: str) -> None:
        if step == "read back":
            entered.set()
            leave.wait(30)

    thread = threading.Thread(
        target=push,
        args=(bucket_url, "m", model),
        kwargs={"approved": [digest_of(model)], "on_step": hold, "lease": 2.0},
    )
    thread.start()
    assert entered.wait(30)
    try:
        with pytest.raises(BucketBusyError, match=r"being written by process \d+ of .*\(push\)"):
            push(bucket_url, "m", other, approved=[digest_of(other)], wait=3.0, lease=2.0)
    finally:
        leave.set()
        thread.join()
    assert list_versions(bucket_url, "m") == [1]


def test_a_pusher_that_lost_its_turn_never_completes(bucket_url: str, tmp_path: Path) -> None:
    slow, quick = fake_model(tmp_path / "slow", "slow"), fake_model(tmp_path / "quick", "quick")
    child = start(bucket_url, slow, die_at=6, how="SIGSTOP")  # stopped, not dead: its pid is there
    assert child.stdout is not None
    for _ in range(7):
        child.stdout.readline()
    time.sleep(0.1)
    done = push(bucket_url, "m", quick, approved=[digest_of(quick)], wait=30, lease=1.0)
    child.send_signal(signal.SIGCONT)
    output, _ = child.communicate(timeout=60)
    assert "ERROR" in output, output
    assert list_versions(bucket_url, "m") == [done.release.version]
    assert latest_release(bucket_url, "m") == done.release


def test_a_store_that_corrupts_is_found_out(
    bucket_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = fake_model(tmp_path / "model", "x")
    for broken in ("variables/variables.index", "saved_model.pb"):
        for kind in (LocalBucket, ObjectBucket):
            upload = kind.upload

            def corrupt(
                self: Bucket, source: Path, key: str, upload: object = upload, broken: str = broken
            ) -> None:
                assert callable(upload)
                upload(self, source, key)
                if key.endswith(broken):
                    self.write(key, b"bit rot")

            monkeypatch.setattr(kind, "upload", corrupt)
        with pytest.raises(placement.ReadBackError, match=rf"{broken} reads back as SHA-256"):
            push(bucket_url, "m", model, approved=[digest_of(model)])
        monkeypatch.undo()
        assert list_versions(bucket_url, "m") == []
    assert push(bucket_url, "m", model, approved=[digest_of(model)]).release.version == 3
    assert_no_debris(bucket_url)


def test_only_lost_turns_raise_turn_lost(tmp_path: Path) -> None:
    from serving.release.journal import turn

    bucket = open_bucket(tmp_path)
    with turn(bucket, "m", "test") as mine:
        mine.check()
        bucket.create(f"m/{PRIVATE}/journal/00000002.json", b"{}")
        with pytest.raises(TurnLostError, match="another process took over"):
            mine.check()
