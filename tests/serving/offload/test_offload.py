"""Work in other processes: results, errors, deadlines, and what is left behind."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import psutil
import pytest

from serving.errors import Code, ServingError, invalid
from serving.offload import offload as module
from serving.offload.offload import Offload
from serving.offload.tensors import pack, unpacked


def measure(data: bytes, factor: int) -> tuple[int, int]:
    print("whatever a function prints does not get in the way")
    return len(data) * factor, os.getpid()


def refuse(data: bytes) -> None:
    raise invalid(f"not {data.decode()}")


def crash(data: bytes) -> None:
    raise KeyError(data)


def die(data: bytes) -> None:
    os._exit(int(data))


def sleep(data: bytes) -> int:
    time.sleep(float(data))
    return os.getpid()


def swell(data: bytes) -> int:
    return len(b"x" * int(data))


def tensors(data: bytes) -> Any:
    strings = np.array([[data, b""], [b"\xff" * 3, "ä".encode()]], object)
    return pack({"s": strings, "x": np.arange(6.0).reshape(2, 3), "none": np.zeros((0, 2), object)})


def run(work: Callable[[Offload], Awaitable[Any]], most: int = 1) -> Any:
    async def main() -> Any:
        offload = Offload(most)
        try:
            return await work(offload)
        finally:
            await offload.close()

    return asyncio.run(main())


def test_a_function_gets_the_data_and_its_arguments_in_a_process_that_is_used_again() -> None:
    async def work(offload: Offload) -> Any:
        return [await offload.run(measure, bytes(3_000_000), factor) for factor in (1, 2)]

    (one, pid), (two, again) = run(work)
    assert (one, two) == (3_000_000, 6_000_000)
    assert pid == again != os.getpid()


def test_errors_come_back_and_the_next_job_is_done() -> None:
    async def work(offload: Offload) -> list[Any]:
        caught = []
        for function, data in ((refuse, b"this"), (crash, b"x"), (die, b"9"), (swell, b"99999999999999")):
            with pytest.raises(ServingError) as error:
                await offload.run(function, data)
            caught.append((error.value.code, error.value.message))
        assert await offload.run(measure, b"12", 1)
        return caught

    assert run(work) == [
        (Code.INVALID_ARGUMENT, "not this"),
        (Code.INTERNAL, "internal server error: KeyError"),
        (Code.RESOURCE_EXHAUSTED, "the process that read the request has died of it"),
        (Code.RESOURCE_EXHAUSTED, "the request needs more memory than the server gives to one"),
    ]


def test_a_deadline_ends_the_process_and_who_waits_gets_a_new_one() -> None:
    async def work(offload: Offload) -> None:
        pid = await offload.run(sleep, b"0")
        started = time.monotonic()
        late = asyncio.create_task(offload.run(sleep, b"60", deadline=started + 0.1))
        await asyncio.sleep(0.01)
        waiting = asyncio.create_task(offload.run(sleep, b"0"))
        with pytest.raises(ServingError) as error:
            await late
        assert error.value.code is Code.DEADLINE_EXCEEDED
        assert await waiting != pid
        assert time.monotonic() - started < 30
        assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE

    run(work)


def test_a_process_ends_after_a_while_without_work_and_after_much_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_IDLE_SECONDS", 0.1)

    async def ends(pid: int) -> None:
        async with asyncio.timeout(20):
            while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                await asyncio.sleep(0.02)

    async def work(offload: Offload) -> None:
        await ends(await offload.run(sleep, b"0"))
        pid = await offload.run(sleep, b"0")
        assert await offload.run(swell, b"700000000") == 700_000_000
        assert await offload.run(sleep, b"0") != pid

    run(work)


def test_the_event_loop_goes_on_meanwhile() -> None:
    async def work(offload: Offload) -> float:
        await offload.run(sleep, b"0")
        job = asyncio.create_task(offload.run(measure, bytes(200_000_000), 1))
        longest, last = 0.0, time.monotonic()
        while not job.done():
            await asyncio.sleep(0.001)
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
        return longest

    assert run(work) < 0.5  # 200 MB are handed over in pieces; on a quiet machine it is 0.01 s


def test_tensors_travel_whole() -> None:
    async def work(offload: Offload) -> Any:
        return await unpacked(await offload.run(tensors, b"abc"), offload)

    got = run(work)
    assert got["s"].tolist() == [[b"abc", b""], [b"\xff\xff\xff", "ä".encode()]]
    assert got["x"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert got["none"].shape == (0, 2)
