"""A connection that notices when its client goes away, and cancels the call that nobody waits for any more.

ASGI tells of it only to who asks, which would take a second task for every request. The protocol knows it anyway.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.errors import Code, ServingError
from serving.rest.body import Message

_TASK = "slipway.task"
_GONE = "slipway.gone"


class Connection(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol, which tells a call inside `abandoned_with` that its client has gone."""

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        super().connection_lost(exc)
        if self.cycle is None:
            return
        scope: Any = self.cycle.scope
        task = scope.get(_TASK)
        if task is not None:
            scope[_GONE] = True
            task.cancel()


@contextmanager
def abandoned_with(scope: Message) -> Iterator[None]:
    """Within it the request is cancelled when its client goes away.

    Raises:
        ServingError: CANCELLED, in place of asyncio's cancellation, which stays what it is when it comes from
            elsewhere (the server's end).
    """
    scope[_TASK] = asyncio.current_task()
    try:
        yield
    except asyncio.CancelledError:
        if _GONE in scope:
            raise ServingError(Code.CANCELLED, "the client went away") from None
        raise
    finally:
        scope[_TASK] = None
