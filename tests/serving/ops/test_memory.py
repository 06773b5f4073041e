"""What this process may use, and that it gives back what it no longer needs."""

import asyncio
import contextlib
import ctypes
from pathlib import Path
from types import SimpleNamespace

import pytest

from serving.ops.memory import return_freed, usable_memory

MIB = 1 << 20


@pytest.mark.parametrize(
    ("line", "path", "name"),
    [
        ("0::/", "", "memory.max"),
        ("0::/pod/box", "pod", "memory.max"),
        ("5:cpu,memory:/docker/1", "memory/docker/1", "memory.limit_in_bytes"),
        ("5:memory:/docker/1", "memory", "memory.limit_in_bytes"),
    ],
)
def test_the_memory_of_a_container_is_what_counts(tmp_path: Path, line: str, path: str, name: str) -> None:
    own = tmp_path / "cgroup"
    own.write_text(f"3:freezer:/\n{line}\n")
    whole = usable_memory(tmp_path / "none", tmp_path / "none")
    assert whole > 100 * MIB
    assert usable_memory(tmp_path, own) == whole
    limit = tmp_path / path / name
    limit.parent.mkdir(parents=True, exist_ok=True)
    limit.write_text("max\n")
    assert usable_memory(tmp_path, own) == whole
    limit.write_text(f"{64 * MIB}\n")
    assert usable_memory(tmp_path, own) == 64 * MIB


def test_memory_is_returned_after_a_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    held = [0]
    trims: list[int] = []

    async def after(now: int) -> int:
        held[0] = now
        await asyncio.sleep(0.1)
        return len(trims)

    async def main() -> None:
        task = asyncio.create_task(return_freed(lambda: held[0], 0.01))
        assert await after(400 * MIB) == 0, "nothing is let go"
        assert await after(350 * MIB) == 0, "too little"
        assert await after(300 * MIB) == 1
        assert await after(250 * MIB) == 1
        assert await after(0) == 2
        assert not task.done()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace(malloc_trim=trims.append))
    asyncio.run(main())
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace())
    asyncio.run(asyncio.wait_for(return_freed(lambda: 0), 1))
