"""Finds the streams whose client is too slow: to send the request, or to take the answer.

The streams of a connection share it, so each needs only its part of the rate that the connection must have.
"""

from collections.abc import Iterable

from serving.transport.http2.stream import Stream
from serving.transport.patience import Pace, Patience


def too_slow(streams: Iterable[Stream], patience: Patience, now: float) -> list[Stream]:
    """Return the streams to be reset; called about every second."""
    arriving: list[Stream] = []
    leaving: list[Stream] = []
    for stream in streams:
        if not stream.is_complete and stream.handler and stream.handler.is_prompt:
            arriving.append(stream)
        else:
            stream.arriving = None
        if stream.pending:
            leaving.append(stream)
        else:
            stream.leaving = None
    slow: list[Stream] = []
    for stream in arriving:
        stream.arriving = stream.arriving or Pace(patience, now, stream.received)
        if stream.arriving.is_too_slow(now, stream.received, 1 / len(arriving)):
            slow.append(stream)
    for stream in leaving:
        stream.leaving = stream.leaving or Pace(patience, now, stream.taken)
        if stream.leaving.is_too_slow(now, stream.taken, 1 / len(leaving)):
            slow.append(stream)
    return slow
