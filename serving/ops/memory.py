"""The process's memory: how much it may use, and that it returns what it no longer needs."""

import asyncio
import ctypes
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

_ROOT = Path("/sys/fs/cgroup")
_WORTH_RETURNING = 64 << 20


def usable_memory(root: Path = _ROOT, own: Path = Path("/proc/self/cgroup")) -> int:
    """Return the bytes of the machine, or of the smallest limit of a control group that this process is in."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for folder, name in _groups(root, own):
        try:
            text = (folder / name).read_text().strip()
        except OSError:
            continue
        if text.isdigit():  # v2 has "max" for no limit; v1 a number larger than any machine
            sizes.append(int(text))
    return min(sizes)


def trim() -> None:
    """Return to the operating system what the C library keeps of freed memory, where it is glibc."""
    if malloc_trim := _malloc_trim():
        malloc_trim(0)


async def return_freed(held: Callable[[], int], seconds: float = 10.0) -> None:
    """Return freed memory to the operating system whenever much less is held than before.

    The C library keeps blocks of up to 32 MiB for later, which for a server means until its next peak.

    Args:
        held: gives the number of bytes that are held.
        seconds: the time between two looks.
    """
    if _malloc_trim() is None:
        return
    high = 0
    while True:
        await asyncio.sleep(seconds)
        now = held()
        high = max(high, now)
        if high - now >= _WORTH_RETURNING:
            high = now
            await asyncio.to_thread(trim)


def _malloc_trim() -> Any:
    return getattr(ctypes.CDLL(None), "malloc_trim", None)


def _groups(root: Path, own: Path) -> list[tuple[Path, str]]:
    """Return the folders and files in which limits may be: the process's group, and those that it is in."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        lines = []
    found: list[tuple[Path, str]] = []
    for line in ["0::/", "1:memory:/", *lines]:
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0":
            base, name = root, "memory.max"
        elif "memory" in controllers.split(","):
            base, name = root / "memory", "memory.limit_in_bytes"
        else:
            continue
        group = base / path.strip("/")
        while group.is_relative_to(base):
            found.append((group, name))
            group = group.parent
    return found
