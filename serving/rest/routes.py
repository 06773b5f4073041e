"""TensorFlow Serving's REST paths."""

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

from serving.errors import invalid
from serving.inference.dataplane import ModelRef

_TARGET = r"(?:(?:/versions/(?P<version>\d+))|(?:/labels/(?P<label>[^/:]+)))?"
_CALL = re.compile(
    rf"/v1/models/(?P<model>[^/:]+){_TARGET}:(?P<method>classify|regress|predict)", re.IGNORECASE | re.ASCII
)
_ASK = re.compile(
    rf"/v1/models(?:/(?P<model>[^/:]+))?{_TARGET}(?:/(?P<part>metadata))?", re.IGNORECASE | re.ASCII
)
_LARGEST = 2**63 - 1


@dataclass(frozen=True)
class Route:
    """What a path asks for.

    Attributes:
        ref: the model and version.
        method: `predict`, `classify`, `regress`, `metadata`, `status`, or `list` of all models.
    """

    ref: ModelRef
    method: str


@lru_cache(1024)
def parse(http_method: str, path: str) -> Route:
    """Parse a request line. `path` is as it was sent, still percent-encoded.

    Raises:
        ServingError: the path is invalid (INVALID_ARGUMENT).
    """
    pattern = {"POST": _CALL, "GET": _ASK}.get(http_method)
    match = pattern.fullmatch(path) if pattern else None
    if match is None:
        raise invalid(f"Malformed request: {http_method} {path}")
    if path.lower() == "/v1/models":
        return Route(ModelRef("", None, None), "list")
    model = unquote(match["model"] or "")
    if not model:
        raise invalid("Missing model name in request.")
    version = _version(match["version"]) if match["version"] else None
    label = unquote(match["label"]) if match["label"] else None
    method = match["method"] if http_method == "POST" else match["part"] or "status"
    return Route(ModelRef(model, version, label), method.lower())


def _version(digits: str) -> int:
    # Python refuses to convert thousands of digits.
    version = (
        int(digits) if len(digits.lstrip("0")) <= len(str(_LARGEST)) and len(digits) < 1000 else _LARGEST + 1
    )
    if version > _LARGEST:
        raise invalid(f"Failed to convert version: {digits[:100]} to numeric.")
    return version
