"""Where a call runs: what is certain to be quick on the event loop, everything else in a thread."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from serving.errors import ServingError
from serving.inference.executor import Executor


@pytest.fixture(autouse=True)
def _as_in_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.getswitchinterval", lambda: 0.0005)


ROW = {"x": np.zeros((1, 4))}


def inline(call: Callable[[], None], inputs: Sequence[dict[str, Any]], *, steady: bool = True) -> list[bool]:
    """For each call, whether it was made on the event loop's thread."""
    seen: list[bool] = []

    def noted() -> None:
        seen.append(threading.current_thread() is threading.main_thread())
        call()

    async def main() -> None:
        with ThreadPoolExecutor(1) as pool:
            executor = Executor(pool, steady=steady)
            for one in inputs:
                await executor.run(noted, one)

    asyncio.run(main())
    return seen


def works(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def test_quick_calls_run_on_the_loop() -> None:
    assert inline(lambda: None, [ROW] * 5) == [False] + [True] * 4


def test_no_call_is_trusted_whose_time_depends_on_the_values() -> None:
    assert not any(inline(lambda: None, [ROW] * 10, steady=False))


def test_more_rows_other_shapes_and_longer_strings_are_measured_first() -> None:
    two, wide, text = {"x": np.zeros((2, 4))}, {"x": np.zeros((1, 5))}, {"x": np.array([b"a"], object)}
    long = {"x": np.array([b"a" * 1000], object)}
    asked = [ROW, two, ROW, two, wide, wide, text, text, long, long]
    assert inline(lambda: None, asked) == [False, False, True, True] + [False, True] * 3


def test_what_has_no_common_rows_or_very_many_strings_stays_in_the_threads() -> None:
    uneven = {"x": np.zeros(1), "y": np.zeros(2)}
    many = {"x": np.full(5000, b"a", object)}
    for inputs in (uneven, many, {"x": np.zeros(())}, {}):
        assert not any(inline(lambda: None, [inputs] * 3))


def test_waiting_for_the_lock_keeps_no_call_in_the_threads() -> None:
    def call() -> None:
        if threading.current_thread() is not threading.main_thread():
            time.sleep(0.0015)

    assert inline(call, [ROW] * 10)[-1]


def test_long_calls_stay_in_the_threads() -> None:
    assert not any(inline(lambda: works(0.003), [ROW] * 10))
    assert not any(
        inline(lambda: time.sleep(0.02), [ROW] * 5)
    )  # TensorFlow's own threads work, this one waits


def test_a_call_that_was_long_is_made_in_a_thread_until_it_is_quick_again() -> None:
    seconds = iter([0, 0, 0.004, 0, 0])
    assert inline(lambda: works(next(seconds)), [ROW] * 5) == [False, True, True, False, True]


@pytest.mark.parametrize("why", ["left", "deadline"])
def test_a_call_that_waits_for_a_thread_in_vain_is_not_made(why: str) -> None:
    made: list[str] = []

    async def main() -> None:
        release = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            executor = Executor(pool)

            def hold() -> bool:
                made.append("first")
                return release.wait(5)

            first = asyncio.create_task(executor.run(hold, ROW))
            deadline = time.monotonic() + 0.05 if why == "deadline" else None
            second = asyncio.create_task(executor.run(lambda: made.append("second"), ROW, deadline))
            await asyncio.sleep(0.1)
            assert made == ["first"]
            if why == "left":
                second.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await second
            else:
                with pytest.raises(ServingError, match="deadline"):
                    await second
            release.set()
            assert await first
            await executor.run(lambda: made.append("third"), ROW)

    asyncio.run(main())
    assert made == ["first", "third"]
