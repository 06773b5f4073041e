"""TensorFlow's profiler on the server's own port, as in TensorFlow Serving.

TensorFlow has this service too, but only on a separate port, without authentication and on every interface; so
here we run a session of its profiler in this process. The messages are declared by the field numbers of TensorFlow's
profiler_service.proto and profiler_options.proto, which no wheel ships.
"""

import asyncio
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from serving.errors import Code, ServingError, invalid
from serving.messages.declared import declare
from serving.ops.auth import Tokens
from serving.rpc.guard import Call, Guard
from serving.rpc.methods import Methods

SERVICE = "tensorflow.ProfilerService"
_LEVELS = ("host_tracer_level", "device_tracer_level", "python_tracer_level")

_classes = declare(
    "slipway/profiler_service.proto",
    "slipway",
    {
        "ProfileOptions": {name: (number, "uint32") for number, name in enumerate((*_LEVELS, "version"), 2)},
        "ProfileRequest": {
            "duration_ms": (1, "uint64"),
            "opts": (4, ".slipway.ProfileOptions"),
            "repository_root": (5, "string"),
            "session_id": (6, "string"),
            "host_name": (7, "string"),
        },
        "ProfileResponse": {"empty_trace": (7, "bool")},
        "TerminateRequest": {"session_id": (1, "string")},
        "TerminateResponse": {},
        # The part of TensorFlow's XSpace that is needed here; its names are not always UTF-8, and would not parse.
        "XSpace": {"planes": (1, "repeated .slipway.XPlane")},
        "XPlane": {"lines": (3, "repeated .slipway.XLine")},
        "XLine": {"events": (4, "repeated bytes")},
    },
)


class Profiler:
    """Takes traces of the whole process, one at a time."""

    def __init__(self, tokens: Tokens | None) -> None:
        self._guard = Guard(tokens=tokens)
        self._ends: dict[str, asyncio.Event] = {}

    def methods(self) -> Methods:
        """Return the service's methods, without Monitor: it is for TPUs, and TensorFlow too has it only there."""
        table = {
            "Profile": (_classes["ProfileRequest"], self._profile),
            "Terminate": (_classes["TerminateRequest"], self._terminate),
        }
        paths = {f"/{SERVICE}/{name}": entry for name, entry in table.items()}
        return {path: self._guard.unary(path, request, method) for path, (request, method) in paths.items()}

    async def _profile(self, request: Any, call: Call) -> Any:
        del call
        if "tensorflow" not in sys.modules:  # a server of LiteRT models does not import it
            raise ServingError(
                Code.UNIMPLEMENTED, "there is nothing to profile: no TensorFlow model is served"
            )
        for name in ("session_id", "host_name"):
            if "/" in getattr(request, name):
                raise invalid(f"{name} must be a name, not a path: {getattr(request, name)!r}")
        stop = _start(request)
        end = self._ends[request.session_id] = asyncio.Event()
        try:
            await asyncio.wait_for(end.wait(), request.duration_ms / 1000)
        except TimeoutError:
            pass
        except (
            asyncio.CancelledError
        ):  # the client disconnected; an unstopped session would block all later ones
            stop()
            raise
        finally:
            del self._ends[request.session_id]
        return await asyncio.to_thread(lambda: _keep(stop(), request))

    async def _terminate(self, request: Any, call: Call) -> Any:
        del call
        if end := self._ends.get(request.session_id):
            end.set()
        return _classes["TerminateResponse"]()


def _start(request: Any) -> Callable[[], bytes]:
    """Start a session, which takes about a millisecond; return a function that ends it and returns its XSpace."""
    from tensorflow.python.framework.errors_impl import AlreadyExistsError
    from tensorflow.python.profiler.internal import _pywrap_profiler

    session = _pywrap_profiler.ProfilerSession()
    # As in TensorFlow, options without a version are not set, and its defaults apply.
    levels = {name: getattr(request.opts, name) for name in _LEVELS} if request.opts.version else {}
    scratch = tempfile.TemporaryDirectory(prefix="serving-profile-")
    try:
        session.start(scratch.name, levels)
    except AlreadyExistsError as error:
        scratch.cleanup()
        raise ServingError(Code.ALREADY_EXISTS, "another profiler session is running") from error

    def stop() -> bytes:
        with scratch:
            session.export_to_tb()  # the only way to get a session's XSpace
            return next(Path(scratch.name).rglob("*.xplane.pb")).read_bytes()

    return stop


def _keep(trace: bytes, request: Any) -> Any:
    """Write a trace to where TensorBoard looks for it; return the response."""
    import tensorflow as tf

    planes = _classes["XSpace"].FromString(trace).planes
    empty = not any(line.events for plane in planes for line in plane.lines)
    if request.repository_root:
        # Through TensorFlow's file systems, because the client names the folder as for TensorFlow Serving.
        folder = f"{request.repository_root.rstrip('/')}/{request.session_id}"
        tf.io.gfile.makedirs(folder)
        with tf.io.gfile.GFile(f"{folder}/{request.host_name.replace(':', '_')}.xplane.pb", "wb") as file:
            file.write(trace)
    return _classes["ProfileResponse"](empty_trace=empty)
