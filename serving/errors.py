"""The base class of errors that users can fix, and errors as clients see them: a canonical code and a message."""

from enum import IntEnum


class Code(IntEnum):
    """The canonical status codes, with gRPC's numbers."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


HTTP_STATUS: dict[Code, int] = {
    Code.OK: 200,
    Code.CANCELLED: 499,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
    Code.UNAUTHENTICATED: 401,
}

_LONGEST = 1024


class UserError(Exception):
    """An error that the user can fix: the message says what is wrong and what to do.

    The command line prints it without a traceback and exits with 2. Subclasses also derive from a standard exception
    (`class ConfigError(UserError, ValueError)`), so that code can catch them by type.
    """


class ServingError(Exception):
    """An error with a canonical code: the answer to a request, or the reason why a version failed to load."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message if len(message) <= _LONGEST else message[:_LONGEST] + "...TRUNCATED"


def invalid(message: str) -> ServingError:
    """Return an INVALID_ARGUMENT error: the request is wrong, whatever the state of the server."""
    return ServingError(Code.INVALID_ARGUMENT, message)


def from_engine(error: Exception) -> ServingError:
    """Return an engine's error as a ServingError: TensorFlow's carry a canonical code, others become INTERNAL."""
    code = getattr(error, "error_code", None)
    if isinstance(code, int) and code in Code._value2member_map_:
        return ServingError(Code(code), str(getattr(error, "message", error)))
    if isinstance(error, ValueError | TypeError):  # numpy and LiteRT: values that do not fit the tensor
        return invalid(str(error))
    return ServingError(Code.INTERNAL, f"{type(error).__name__}: {error}")
