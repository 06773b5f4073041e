"""Identifies the process that writes to a bucket, and tells whether it is still running."""

import contextlib
import getpass
import os
import platform
import secrets
from pathlib import Path

from pydantic import BaseModel, ConfigDict


class Writer(BaseModel):
    """The process whose turn it is."""

    model_config = ConfigDict(frozen=True)

    machine: str
    pid: int
    started: float
    user: str
    token: str

    def is_dead(self) -> bool:
        """Return whether the process was on this machine and is no longer running."""
        if self.machine != _machine():
            return False
        started = _process_start(self.pid)
        return started is None or abs(started - self.started) > 1


def this_process() -> Writer:
    """Return the Writer that identifies this process."""
    started = _process_start(os.getpid())
    return Writer(
        machine=_machine(),
        pid=os.getpid(),
        started=started or 0.0,
        user=user_name(),
        token=secrets.token_hex(8),
    )


def _machine() -> str:
    """Return an identifier of this host, boot and PID namespace: a PID means something only within these."""
    parts = [platform.node()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(str(Path("/proc/self/ns/pid").stat().st_ino))
    return "/".join(parts)


def _process_start(pid: int) -> float | None:
    import psutil  # imported late: readers never need it

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.NoSuchProcess:
        return None


def user_name() -> str:
    """Return the name of the user who runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a numeric user without a name, as in a container
        return str(os.getuid())
