"""Where a call runs: what is quick on the event loop, what is long in a thread."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from serving.errors import ServingError
from serving.inference.executor import Executor


@pytest.fixture(autouse=True)
def _as_in_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.getswitchinterval", lambda: 0.0005)


def inline(call: Callable[[], None], times: int) -> list[bool]:
    """For each of so many calls, whether it was made on the event loop's thread."""
    seen: list[bool] = []

    def noted() -> None:
        seen.append(threading.current_thread() is threading.main_thread())
        call()

    async def main() -> None:
        with ThreadPoolExecutor(1) as pool:
            executor = Executor(pool)
            for _ in range(times):
                await executor.run(noted)

    asyncio.run(main())
    return seen


def test_quick_calls_run_on_the_loop() -> None:
    assert inline(lambda: None, 10) == [False] * 3 + [True] * 7


def test_waiting_for_the_lock_keeps_no_call_in_the_threads() -> None:
    def call() -> None:
        if threading.current_thread() is not threading.main_thread():
            time.sleep(0.0015)

    assert inline(call, 60)[-1]


def test_waiting_for_a_core_sends_no_call_to_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.getswitchinterval", lambda: 0.01)  # for machines on which a short sleep is long
    assert inline(lambda: time.sleep(0.0015), 30) == [False] * 3 + [True] * 27


def test_long_calls_stay_in_the_threads() -> None:
    def works() -> None:
        until = time.thread_time() + 0.003
        while time.thread_time() < until:
            pass

    assert not any(inline(works, 10))
    assert not any(inline(lambda: time.sleep(0.02), 10))  # TensorFlow's own threads work, this one waits


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

            first = asyncio.create_task(executor.run(hold))
            deadline = time.monotonic() + 0.05 if why == "deadline" else None
            second = asyncio.create_task(executor.run(lambda: made.append("second"), deadline))
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
            await executor.run(lambda: made.append("third"))

    asyncio.run(main())
    assert made == ["first", "third"]
