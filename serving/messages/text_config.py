"""Reads TensorFlow Serving's configuration files, which are in protobuf's text format."""

from pathlib import Path
from typing import Any, TypeVar

from google.protobuf import text_format

from serving.errors import UserError

Message = TypeVar("Message")


class ServerConfigError(UserError, ValueError):
    """A configuration file or flag is invalid; the message names it and says what is wrong."""


def read_text(path: str | Path, message: Message) -> Message:
    """Parse a file into a message.

    Args:
        path: the file.
        message: an empty message of the file's type; it is filled and returned.

    Raises:
        ServerConfigError: the file cannot be read or parsed.
    """
    proto: Any = message
    name = proto.DESCRIPTOR.full_name
    try:
        text = Path(path).read_text()
    except OSError as error:
        raise ServerConfigError(f"cannot read {name} from {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ServerConfigError(
            f"Error parsing text-format {name}: {path} is not text: {error.reason}"
        ) from error
    try:
        text_format.Parse(text, proto)
    except text_format.ParseError as error:
        raise ServerConfigError(f"Error parsing text-format {name}: {path}:{error}") from error
    return message
