"""A process of ours with pipes that the event loop reads and writes, started without stopping the loop.

uvloop and libuv start processes by `fork`, which copies the page tables: from a server of 700 MB that takes 20 to
50 ms, and nothing else is done meanwhile. `subprocess` uses `vfork`, which copies nothing.
"""

import asyncio
import contextlib
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Child:
    """A started process.

    Attributes:
        process: the process.
        stdin, stdout: its pipes.
        reading: what `stdout` is read by.
    """

    process: "subprocess.Popen[bytes]"
    stdin: asyncio.StreamWriter
    stdout: asyncio.StreamReader
    reading: asyncio.BaseTransport

    async def kill(self) -> None:
        """End the process, and wait until nothing of it is left."""
        self.process.kill()
        self.reading.close()
        self.stdin.transport.abort()
        with contextlib.suppress(OSError):
            await self.stdin.wait_closed()
        # What has been killed is gone in a moment, but freeing its memory may take longer than a turn of the loop.
        await asyncio.to_thread(self.process.wait)


async def start(command: Sequence[str], env: Mapping[str, str], limit: int) -> Child:
    """Start a command.

    Args:
        command: the command.
        env: its environment.
        limit: so many bytes of its output wait here until they are read.
    """
    loop = asyncio.get_running_loop()
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, bufsize=0)
    stdout = asyncio.StreamReader(limit)
    reading, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdout), process.stdout)
    writing, protocol = await loop.connect_write_pipe(
        lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()), process.stdin
    )
    return Child(process, asyncio.StreamWriter(writing, protocol, None, loop), stdout, reading)
