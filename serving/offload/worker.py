"""A worker process: reads jobs from its standard input, writes results to its standard output.

A job is a function with its arguments, pickled, and the bytes that the function is for. Only our own server writes
here.
"""

import os
import pickle
import resource
import signal
import struct
import sys
from pathlib import Path
from typing import Any, BinaryIO

from serving.errors import Code, ServingError

#: Of a job: the sizes of the call and of the data, and how many tensors follow. Of a result: its size, how many tensors
#: follow, and whether this was the last one. The sizes of tensors come next, their contents at the end.
HEAD = struct.Struct("<QQQ")
RESULT = struct.Struct("<QQ?")
SIZE = struct.Struct("<Q")
#: How much the server itself goes before its workers, where there are too few cores for all.
_NICE = 10
#: So much address space a worker may use: a document of 100 MB can stand for far more than that.
_MOST_MEMORY = 4 << 30
#: A worker that needed more than this ends after its answer, as the memory would never come back.
_RETIRES_AT = 512 << 20


def main() -> None:
    """Serve until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_NICE)
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    # Whatever prints, prints to standard error: standard output is for results.
    with os.fdopen(os.dup(0), "rb") as source, os.fdopen(os.dup(1), "wb") as sink:
        os.dup2(2, 1)
        while head := source.read(HEAD.size):
            result, buffers = _run(source, *HEAD.unpack(head))
            retires = _most_memory() > _RETIRES_AT
            sink.write(RESULT.pack(len(result), len(buffers), retires))
            for buffer in buffers:
                sink.write(SIZE.pack(buffer.raw().nbytes))
            sink.write(result)
            for buffer in buffers:
                sink.write(buffer.raw())
            sink.flush()
            del result, buffers
            if retires:
                return


def _most_memory() -> int:
    """Return the most memory that this process has had, in bytes; getrusage would count its parent's too."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))


def _run(
    source: BinaryIO, call_size: int, data_size: int, tensors: int
) -> tuple[bytes, list[pickle.PickleBuffer]]:
    """Return the pickled outcome, the result or the code and message of an error; and the contents of its tensors."""
    outcome: Any
    buffers: list[pickle.PickleBuffer] = []
    try:
        sizes = [SIZE.unpack(source.read(SIZE.size))[0] for _ in range(tensors)]
        call, data = source.read(call_size), source.read(data_size)
        function, arguments = pickle.loads(call, buffers=[source.read(size) for size in sizes])
        outcome = (None, function(data, *arguments))
        del data, arguments
        return pickle.dumps(outcome, 5, buffer_callback=buffers.append), buffers
    except ServingError as error:
        outcome = (error.code, error.message)
    except MemoryError:
        outcome = (Code.RESOURCE_EXHAUSTED, "the request needs more memory than the server gives to one")
    except Exception as error:
        outcome = (Code.INTERNAL, f"internal server error: {type(error).__name__}")
        print(f"a worker failed: {error!r}", file=sys.stderr, flush=True)
    return pickle.dumps(outcome), []


if __name__ == "__main__":
    main()
