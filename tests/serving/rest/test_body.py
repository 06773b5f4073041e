"""Compressed bodies: never more than a limit, whatever they unpack to."""

import gzip

import pytest

from serving.errors import Code, ServingError
from serving.rest import body


def test_a_body_is_unpacked_to_the_smaller_of_two_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "_MOST_UNPACKED", 1000)
    assert body.decompressed(gzip.compress(bytes(1000)), 2**31) == bytes(1000)
    for size, limit, told in ((1001, 2**31, 1000), (501, 500, 500), (10_000_000, 2**31, 1000)):
        with pytest.raises(
            ServingError, match=f"larger than the {told} bytes that it may have once decompressed"
        ) as error:
            body.decompressed(gzip.compress(bytes(size)), limit)
        assert error.value.code is Code.RESOURCE_EXHAUSTED
