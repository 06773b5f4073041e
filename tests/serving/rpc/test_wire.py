"""Large messages: in parts, or compressed as they came, within the limit of their own server."""

import gzip

import pytest

from serving.errors import Code, ServingError
from serving.ops.limits import Limits
from serving.rpc.read import read_apart
from serving.rpc.wire import PREFIX, Compressed, MessageReader, size_of

LIMIT = 3 << 20


def framed(message: bytes, *, compressed: bool = False) -> bytes:
    return PREFIX.pack(compressed, len(message)) + message


def test_a_large_message_comes_in_parts_and_the_next_one_whole() -> None:
    reader = MessageReader(b"", LIMIT, apart=True)
    large, small = bytes(range(256)) * 8192, b"small"
    data = framed(large) + framed(small)
    messages = [m for at in range(0, len(data), 16_384) for m in reader.feed(data[at : at + 16_384])]
    assert isinstance(messages[0], list)
    assert b"".join(messages[0]) == large
    assert size_of(messages[0]) == len(large)
    assert messages[1:] == [small]
    assert reader.size == 0


def test_what_becomes_large_keeps_the_limit_of_its_server() -> None:
    reader = MessageReader(b"gzip", LIMIT, apart=True)
    (small,) = reader.feed(framed(gzip.compress(bytes(1000)), compressed=True))
    assert small == bytes(1000)
    (large,) = reader.feed(framed(gzip.compress(bytes(50 << 20)), compressed=True))
    assert isinstance(large, Compressed)
    assert isinstance(large.data, bytes)
    with pytest.raises(ServingError) as error:
        read_apart(large.data, large.encoding, large.limit, "Predict", Limits())
    assert error.value.code is Code.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("size", [1000, 2 << 20])
def test_a_compressed_message_without_an_encoding_is_refused(size: int) -> None:
    reader = MessageReader(b"", LIMIT, apart=True)
    data = framed(bytes(size), compressed=True)
    for at in range(0, size - 16_384, 16_384):
        assert reader.feed(data[at : at + 16_384]) == []
    with pytest.raises(ServingError, match="without a grpc-encoding"):
        reader.feed(data[max(0, -(-(size - 16_384) // 16_384) * 16_384) :])
