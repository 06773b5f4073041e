"""What is no delimited text by its beginning, and what is though its header looks odd."""

import pytest

from components.ingest.foreign import divided_by, foreign


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "an old Office file"),
        (b"ORC\x08\x03", "binary"),
        (b"\x1f\x8b\x08", "compressed twice"),
        (b"(\xb5/\xfd", "zstd"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"<!DOCTYPE html>", "HTML"),
        (b'[\n {"a": 1}]', "JSON"),
        (b"%PDF-1.7", "a PDF"),
    ],
)
def test_it_is_called_what_it_is(head: bytes, said: str) -> None:
    assert said in (foreign(head) or "")


@pytest.mark.parametrize(
    "head", ["{},[x],label", "orchestra,label", "PAR1,label", "GIF89a,label", "€,label", "\ufeffa,b"]
)
def test_a_header_may_begin_like_that(head: str) -> None:
    assert foreign(head.encode()) is None


def test_only_what_has_every_name_divides_the_header() -> None:
    assert divided_by("a, m;b;label", ",", ["b", "label"]) == ";"
    assert divided_by("a b;label", ",", ["a", "label"]) is None
