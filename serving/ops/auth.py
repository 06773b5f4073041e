"""Authentication of calls by bearer tokens."""

import contextlib
import hashlib
import hmac
from pathlib import Path

from serving.errors import Code, ServingError
from serving.messages.text_config import ServerConfigError


class Tokens:
    """The tokens of a file, one per line; empty lines and those that begin with # are ignored.

    The file is read again when it changes, so that tokens can be replaced without a restart. Only digests are kept,
    and compared in constant time.

    Args:
        path: the file.
        flag: that names it, for errors.
    """

    def __init__(self, path: Path, flag: str = "--auth_token_file") -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._digests: list[bytes] = []
        try:
            self._read()
        except OSError as error:
            raise ServerConfigError(f"cannot read {flag} {path}: {error.strerror}") from error
        if not self._digests:
            raise ServerConfigError(f"{flag} {path} holds no token: write one per line")

    def check(self, header: bytes) -> None:
        """Raise UNAUTHENTICATED unless the Authorization header contains one of the tokens."""
        scheme, _, token = header.partition(b" ")
        given = hashlib.sha256(token.strip()).digest()
        with contextlib.suppress(OSError):  # the file is being replaced: the previous tokens remain valid
            self._read()
        # No early exit, so that the time does not reveal which token matched.
        matches = [hmac.compare_digest(given, digest) for digest in self._digests]
        if scheme.lower() != b"bearer" or not any(matches):
            raise ServingError(
                Code.UNAUTHENTICATED, "a valid token is required: send 'Authorization: Bearer TOKEN'"
            )

    def _read(self) -> None:
        status = self._path.stat()
        stamp = (status.st_mtime_ns, status.st_size)
        if stamp == self._stamp:
            return
        lines = [line.strip() for line in self._path.read_bytes().splitlines()]
        self._digests = [
            hashlib.sha256(line).digest() for line in lines if line and not line.startswith(b"#")
        ]
        self._stamp = stamp
