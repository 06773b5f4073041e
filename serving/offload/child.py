"""A worker process as its server sees it."""

import asyncio
import pickle
import subprocess
import threading
from typing import Any

import numpy as np

from serving.errors import Code, ServingError
from serving.offload.worker import HEAD, RESULT, SIZE
from serving.process import environment, python_module


class Child:
    """One process; it starts with its first call.

    It is started by `subprocess`, in the thread of the call: uvloop forks, which copies the page tables of the server.

    Attributes:
        retires: whether it ends after its last answer.
        timer: ends it when it has been idle for long.
    """

    def __init__(self) -> None:
        self.retires = False
        self.timer: asyncio.TimerHandle | None = None
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_busy = self._is_killed = False

    def call(
        self, call: bytes, data: list[bytes], tensors: list[pickle.PickleBuffer]
    ) -> tuple[Code | None, Any]:
        """Do a job, and return its outcome; for a thread, as it waits for the process.

        Pipes are written and read without the interpreter's lock, and large tensors read where they stay.

        Args:
            call: the pickled function and arguments.
            data: the parts of what it is for.
            tensors: the contents of tensors among the arguments.

        Raises:
            ServingError: the process has died, or been killed (RESOURCE_EXHAUSTED).
        """
        try:
            with self._lock:
                self._is_busy = True
                process = self._started()
            raw = [tensor.raw() for tensor in tensors]
            head = HEAD.pack(len(call), sum(map(len, data)), len(raw))
            parts: list[bytes | memoryview] = [head, *(SIZE.pack(one.nbytes) for one in raw), call]
            for part in parts + data + raw:
                _write(process, part)
            size, buffers, self.retires = RESULT.unpack(_read(process, RESULT.size))
            sizes = [SIZE.unpack(_read(process, SIZE.size))[0] for _ in range(buffers)]
            pickled = _read(process, size)
            outcome: tuple[Code | None, Any] = pickle.loads(
                pickled, buffers=[_read(process, one) for one in sizes]
            )
        except (OSError, EOFError):
            raise ServingError(
                Code.RESOURCE_EXHAUSTED, "the process that read the request has died of it"
            ) from None
        finally:
            with self._lock:
                self._is_busy = False
                if self._is_killed and self._process is not None:
                    _bury(self._process)
        return outcome

    def kill(self) -> None:
        """End the process; a call that is going on fails."""
        with self._lock:
            self._is_killed = True
            if self._process is None:
                return
            self._process.kill()
            if not self._is_busy:
                # Gone in a moment, but freeing its memory may take longer than a turn of the event loop.
                threading.Thread(target=_bury, args=[self._process]).start()

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._is_killed:
            raise EOFError
        if self._process is None:
            self._process = subprocess.Popen(
                python_module("serving.offload.worker"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment(OPENBLAS_NUM_THREADS="1"),
                bufsize=0,
            )
        return self._process


def _write(process: "subprocess.Popen[bytes]", part: bytes | memoryview) -> None:
    assert process.stdin is not None
    view = memoryview(part)
    while view:
        view = view[process.stdin.write(view) :]


def _read(process: "subprocess.Popen[bytes]", size: int) -> memoryview:
    """Read so many bytes; of memory that is not cleared first."""
    assert process.stdout is not None
    whole: memoryview = np.empty(size, np.uint8).data
    rest = whole
    while rest:
        got = process.stdout.readinto(rest)  # type: ignore[attr-defined]  # it has no buffer, so it is a FileIO
        if not got:
            raise EOFError
        rest = rest[got:]
    return whole


def _bury(process: "subprocess.Popen[bytes]") -> None:
    """Close the pipes of a process that has been killed, and wait until it is gone."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    process.wait()
