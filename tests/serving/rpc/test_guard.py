"""Who may change the configuration of a server."""

from pathlib import Path

import pytest

from serving.errors import Code, ServingError
from serving.ops.auth import Tokens
from serving.rpc.guard import Guard
from serving.rpc.methods import Context
from serving.transport.http2.headers import Head


def caller(peer: str, token: str = "") -> Context:
    fields = [(b"authorization", f"Bearer {token}".encode())] if token else []
    return Context(Head(fields), peer, None)


def outcome(guard: Guard, context: Context) -> Code:
    try:
        guard.check_control(context)
    except ServingError as error:
        return error.code
    return Code.OK


@pytest.mark.parametrize(
    ("peer", "local"),
    [
        ("unix:", True),
        ("ipv4:127.0.0.1:40000", True),
        ("ipv4:127.8.0.1:40000", True),
        ("ipv6:[::1]:40000", True),
        ("ipv4:10.0.0.7:40000", False),
        ("ipv4:1.127.0.0:40000", False),
        ("ipv6:[fe80::1]:40000", False),
        ("ipv6:[::127.0.0.1]:40000", False),
    ],
)
def test_without_tokens_this_machine_may(peer: str, local: bool) -> None:
    assert outcome(Guard(), caller(peer)) is (Code.OK if local else Code.PERMISSION_DENIED)
    assert outcome(Guard(remote=True), caller(peer)) is Code.OK


def test_with_tokens_it_takes_one_of_its_own(tmp_path: Path) -> None:
    for name in ("callers", "admins"):
        (tmp_path / name).write_text(f"{name}-token\n")
    tokens, admins = Tokens(tmp_path / "callers"), Tokens(tmp_path / "admins", "--admin_token_file")
    here = "ipv4:127.0.0.1:40000"
    assert outcome(Guard(tokens), caller(here, "callers-token")) is Code.PERMISSION_DENIED
    for guard in (Guard(tokens, admins=admins), Guard(admins=admins), Guard(admins=admins, remote=True)):
        assert outcome(guard, caller("ipv4:10.0.0.7:1", "admins-token")) is Code.OK
        assert outcome(guard, caller(here, "callers-token")) is Code.UNAUTHENTICATED
        assert outcome(guard, caller(here)) is Code.UNAUTHENTICATED
