"""Where a call runs: what is quick on the event loop, what is long in a thread."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from serving.executor import Executor


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


def test_long_calls_stay_in_the_threads() -> None:
    def works() -> None:
        until = time.thread_time() + 0.003
        while time.thread_time() < until:
            pass

    assert not any(inline(works, 10))
    assert not any(inline(lambda: time.sleep(0.02), 10))  # TensorFlow's own threads work, this one waits
