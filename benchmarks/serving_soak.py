"""Whether a server stays as it is while everything is done to it at once.

    python -m benchmarks.serving_soak --minutes 30

One server, several models. Good clients ask at a fixed pace by REST and gRPC, timed from when a request was due: first
in quiet, for the baseline, then while versions are swapped, configurations loaded, and the clients of
`benchmarks.disturbers` are slow, large and hostile. All share the machine. Prints a line for each minute; exits with 1
if a good request or a change failed, if the good ones' p99 was more than 3 × that in quiet, or if the memory of the
server and its workers at the end is more than 5 % from what it was once it was warm.
"""

import argparse
import contextlib
import json
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psutil

from benchmarks.serving_beside import Waiting, client, memory, several, waiting
from benchmarks.soak_changes import Changes
from serving.client.local import ServerProcess

MODELS = ("light", "swapped", "heavy", "wide", "picture")
ASKED = "light,swapped"
#: Each by REST and by gRPC.
_WAYS = 4
#: Which kinds of disturbers take turns in a process, and the pause between two of them.
DISTURBERS = {
    "heavy": 1.0,
    "json,wrong": 5.0,
    "bomb,png": 5.0,
    "slow_body": 0.0,
    "unread": 1.0,
    "malformed,cut_off,garbage,bad_headers": 1.0,
    "rapid_reset,made_you_reset,promises": 3.0,
}
SLOWER, GROWN = 3.0, 0.05
_WARM_MINUTES = 5


@dataclass
class Minute:
    """What the good clients printed, and the memory by the second."""

    said: list[str]
    memory: list[int]

    @property
    def typical(self) -> float:
        """The memory that it mostly had; large bodies come and go."""
        return statistics.median(self.memory) if self.memory else 0.0


def merged(lines: Sequence[str]) -> Waiting:
    """Put what `serving_paced` printed of several ways together."""
    read = [json.loads(line) for line in lines]
    return waiting(
        [value for line in read for value in line["latencies"]],
        [f"{line['way']}: {failure}" for line in read for failure in line["failures"]],
    )


def quiet(server: ServerProcess, seconds: float, rate: float) -> Waiting:
    """Ask for a while with nothing else going on."""
    with client(
        "serving_paced", server, f"--models={ASKED}", f"--seconds={seconds}", f"--rate={rate}"
    ) as process:
        return merged(process.communicate()[0].splitlines())


@contextlib.contextmanager
def disturbers(server: ServerProcess, seconds: float) -> Iterator[None]:
    """Run every kind for so long, and tell at the end what they did."""
    running = [
        client("disturbers", server, f"--kinds={kinds}", f"--pause={pause}", f"--seconds={seconds}")
        for kinds, pause in DISTURBERS.items()
    ]
    try:
        yield
        for process in running:
            for kind, outcomes in json.loads(process.communicate()[0] or "{}").items():
                print(f"  {kind:16}", ", ".join(f"{count} × {text}" for text, count in outcomes.items()))
    finally:
        for process in running:
            process.kill()
            process.wait()


def minutes_of(server: ServerProcess, minutes: int, rate: float) -> Iterator[Minute]:
    """Give each minute of the good clients when it is over."""
    with client(
        "serving_paced",
        server,
        f"--models={ASKED}",
        f"--seconds={60 * minutes}",
        f"--rate={rate}",
        "--period=60",
    ) as process:
        lines: list[str] = []
        assert process.stdout is not None
        reader = threading.Thread(target=lines.extend, args=(process.stdout,), daemon=True)
        reader.start()
        told = 0
        for number in range(1, minutes + 1):
            samples = []
            while process.poll() is None and (number == minutes or len(lines) < number * _WAYS):
                samples.append(memory(server))
                time.sleep(1)
            if process.poll() is not None:
                reader.join()
            yield Minute(lines[told:], samples)
            told = len(lines)


def show(label: str, good: Waiting, rest: str = "") -> None:
    print(
        f"{label:10} {good.count:6} good, {len(good.failures)} failed, p50 {good.p50:7.2f}  p99 {good.p99:8.2f}  "
        f"max {good.longest:8.2f} ms{rest}",
        flush=True,
    )
    for failure, count in Counter(good.failures).most_common(3):
        print(f"  {count} × {failure}")


def verdict(before: Waiting, seen: list[Minute], changes: Changes) -> list[str]:
    """Print the whole, and return the bounds that are broken."""
    broken = []
    during = merged([line for minute in seen for line in minute.said])
    show("during", during, f", p99 {during.p99 / before.p99:.2f} × that in quiet")
    if failed := len(during.failures) + len(before.failures):
        broken.append(f"{failed} good requests failed")
    if changes.failures:
        broken.append(f"{len(changes.failures)} changes failed, the first: {changes.failures[0]}")
    if during.p99 > SLOWER * before.p99:
        broken.append(f"p99 is {during.p99 / before.p99:.1f} × that in quiet, more than {SLOWER:g}")
    warm = seen[min(_WARM_MINUTES, len(seen) // 2)].typical
    grown = seen[-1].typical / warm - 1
    print(f"memory once warm {warm / 2**20:.0f} MiB, at the end {100 * grown:+.1f} %")
    if abs(grown) > GROWN:
        broken.append(f"memory changed by {100 * grown:+.1f} %, more than {100 * GROWN:g}")
    return broken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=30)
    parser.add_argument("--quiet_seconds", type=float, default=60.0)
    parser.add_argument(
        "--rate", type=float, default=25.0, help="good requests a second, by each way and model"
    )
    options = parser.parse_args()
    with several(*MODELS) as (server, folder):
        quiet(server, 3, options.rate)
        before = quiet(server, options.quiet_seconds, options.rate)
        show("quiet", before, f", {memory(server) >> 20} MiB")
        seen = []
        with disturbers(server, 60 * options.minutes):
            changes = Changes(server, folder, MODELS)
            for number, minute in enumerate(minutes_of(server, options.minutes, options.rate), 1):
                seen.append(minute)
                show(
                    f"minute {number}",
                    merged(minute.said),
                    f", {minute.typical / 2**20:.0f} MiB (up to {max(minute.memory) / 2**20:.0f}), "
                    f"{changes.done} changes, load {psutil.getloadavg()[0]:.1f}",
                )
            changes.stop()
        broken = verdict(before, seen, changes)
        print("\n".join(server.last_lines(5)), file=sys.stderr)
    print("\n".join(f"BROKEN: {text}" for text in broken) or "all bounds hold")
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
