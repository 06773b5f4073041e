import logging

import pytest

from serving.messages.text_config import ServerConfigError
from serving.rpc.server import channel_arguments


def test_an_argument_that_is_no_integer_is_left_out_and_named(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        read = channel_arguments("grpc.max_concurrent_streams=abc,grpc.max_connection_age_ms= 500,a=,b=-1")
    assert read == {"grpc.max_connection_age_ms": 500, "b": -1}
    assert "grpc.max_concurrent_streams=abc" in caplog.text
    assert "a= " in caplog.text


def test_a_part_without_a_value_is_refused() -> None:
    with pytest.raises(ServerConfigError, match=r"'grpc\.x' is not name=value"):
        channel_arguments("a=1,grpc.x")
