"""The journal of a model's folder: it allows one writer at a time, and holds the state that must outlive every version.

The journal is a sequence of small files, `<model>/.slipway/journal/<number>.json`. To write anything, a process
creates the file with the next number, exclusively: of two processes, one succeeds. That entry is its turn, until it
marks the entry done. Every entry has the complete state (highest version ever used, withdrawn models, labels), so
reading the newest one is enough.

A writer that dies leaves its entry active. The next writer notices: at once if the dead one was a process on the same
host, otherwise when the entry has not been renewed for the duration of the lease. That is measured on the clock of the
waiting process, so clocks need not agree. A writer that was only slow finds a higher number than its own, and stops.
"""

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from serving.errors import UserError
from serving.release.bucket import Bucket
from serving.release.writer import Writer, this_process

PRIVATE = ".slipway"
"""Slipway's own folder next to the versions; TF Serving ignores every name that is not an integer."""
LEASE_SECONDS = 20.0
_KEPT_ENTRIES = 20


class BucketBusyError(UserError, RuntimeError):
    """Another process is writing to the model's folder; the message says which."""


class TurnLostError(UserError, RuntimeError):
    """Another process has taken over from this one, which must stop writing."""


class JournalError(UserError, RuntimeError):
    """An entry of the journal cannot be read."""


class JournalState(BaseModel):
    """The state that must outlive the versions that it came from."""

    model_config = ConfigDict(frozen=True)

    highest: int = 0
    withdrawn: dict[str, int] = {}
    labels: dict[str, int] = {}


class Entry(BaseModel):
    """The entry of one turn. `version` is the number that it has reserved, if it writes a version."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, serialize_by_alias=True)

    number: int
    action: str
    status: Literal["active", "done", "failed"]
    writer: Writer = Field(alias="holder")  # the key in existing journals
    beat: int = 0
    version: int | None = None
    state: JournalState


class Turn:
    """The exclusive right to write, renewed in the background until it ends.

    Attributes:
        state: the state, as of the last entry or `record`.
        unfinished: the version that a predecessor had reserved when it died; it must be settled first.
    """

    def __init__(self, bucket: Bucket, folder: str, entry: Entry, lease: float) -> None:
        self.state = entry.state
        self.unfinished = entry.version
        self._bucket = bucket
        self._folder = folder
        self._entry = entry
        self._lease = lease
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="bucket-turn", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise TurnLostError if another process has taken over."""
        newest = _numbers(self._bucket, self._folder)[-1:]
        if newest != [self._entry.number]:
            raise TurnLostError(
                f"another process took over {self._bucket.url}/{self._folder} because this one did not renew its "
                f"turn for more than {self._lease:g} s; nothing more was written. Run the push again"
            )

    def record(self, state: JournalState, version: int | None = None) -> None:
        """Record what the turn has reserved or changed, so that a successor knows it."""
        self.state = state
        with self._lock:
            self._entry = self._entry.model_copy(update={"state": state, "version": version})
            self._save()

    def end(self, status: Literal["done", "failed"]) -> None:
        """End the turn."""
        self._ended.set()
        self._thread.join()
        with self._lock:
            self._entry = self._entry.model_copy(update={"status": status})
            self._save()

    def _save(self) -> None:
        self._bucket.write(_key(self._folder, self._entry.number), self._entry.model_dump_json().encode())

    def _renew(self) -> None:
        while not self._ended.wait(self._lease / 4):
            with self._lock, contextlib.suppress(OSError):  # the store is unavailable: the lease may expire
                self._entry = self._entry.model_copy(update={"beat": self._entry.beat + 1})
                self._save()


@contextlib.contextmanager
def turn(
    bucket: Bucket, model_name: str, action: str, *, wait: float = 60.0, lease: float = LEASE_SECONDS
) -> Iterator[Turn]:
    """Wait for the turn in a model's folder, and end it on exit.

    Args:
        bucket: the bucket that the model is released to.
        model_name: its folder there.
        action: what is being done, shown to waiting processes.
        wait: how many seconds to wait for another writer.
        lease: after how many seconds without renewal a writer counts as dead.

    Raises:
        BucketBusyError: another writer is still active after `wait` seconds.
    """
    folder = f"{model_name}/{PRIVATE}/journal"
    mine = _take(bucket, folder, action, wait, lease)
    try:
        yield mine
    except BaseException:
        with contextlib.suppress(Exception):  # the original error must be the one that is raised
            mine.end("failed")
        raise
    mine.end("done")


def read_state(bucket: Bucket, model_name: str) -> JournalState:
    """Return the newest state; an empty one for a model that was never released."""
    entry = _newest(bucket, f"{model_name}/{PRIVATE}/journal")
    return entry.state if entry else JournalState()


def _take(bucket: Bucket, folder: str, action: str, wait: float, lease: float) -> Turn:
    give_up = time.monotonic() + wait
    seen: tuple[int, int] | None = None
    seen_at = 0.0
    while True:
        last = _newest(bucket, folder)
        now = time.monotonic()
        if last and (last.number, last.beat) != seen:
            seen, seen_at = (last.number, last.beat), now
        if last is None or last.status != "active" or last.writer.is_dead() or now - seen_at > lease:
            entry = Entry(
                number=last.number + 1 if last else 1,
                action=action,
                status="active",
                writer=this_process(),
                # Carried over until it is settled: this process may die before that, too.
                version=last.version if last and last.status != "done" else None,
                state=last.state if last else JournalState(),
            )
            if bucket.create(_key(folder, entry.number), entry.model_dump_json().encode()):
                _delete_old(bucket, folder, entry.number)
                return Turn(bucket, folder, entry, lease)
        elif now > give_up:
            raise BucketBusyError(
                f"{bucket.url}/{folder.split('/')[0]} is being written by process {last.writer.pid} of "
                f"{last.writer.user} on {last.writer.machine.split('/')[0]} ({last.action}); wait for it, or stop it"
            )
        else:
            time.sleep(min(0.2, lease / 10))


def _newest(bucket: Bucket, folder: str) -> Entry | None:
    for number in reversed(_numbers(bucket, folder)):
        key = _key(folder, number)
        try:
            return Entry.model_validate_json(bucket.read(key))
        except FileNotFoundError:
            continue  # deleted since the listing
        except ValidationError as error:
            raise JournalError(
                f"{bucket.url}/{key} is damaged: {error.errors()[0]['msg']}; restore it, or delete it to continue "
                "from the previous entry"
            ) from error
    return None


def _numbers(bucket: Bucket, folder: str) -> list[int]:
    try:
        names = bucket.listing(folder)
    except FileNotFoundError:
        return []
    stems = [name.removesuffix(".json") for name in names if name.endswith(".json")]
    return sorted(int(stem) for stem in stems if stem.isdecimal())


def _delete_old(bucket: Bucket, folder: str, newest: int) -> None:
    old = [number for number in _numbers(bucket, folder) if number <= newest - _KEPT_ENTRIES]
    bucket.remove([_key(folder, number) for number in old])


def _key(folder: str, number: int) -> str:
    return f"{folder}/{number:08d}.json"
