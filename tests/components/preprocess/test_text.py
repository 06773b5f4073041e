"""What becomes of the words of a text."""

import pytest

from components.preprocess.text import FIRST_WORD
from tests.components.preprocess.conftest import CONFIG, Words

UNKNOWN = 1


def test_the_most_frequent_words_are_kept_whatever_their_case(words: Words) -> None:
    assert len(words.vocabulary) == CONFIG.vocabulary_size
    assert {"the", "plot", "good", "was", "été"} == set(words.vocabulary)


def test_ids_follow_the_vocabulary_and_start_after_padding_and_unknown(words: Words) -> None:
    (ids,) = words.ids(["the plot was good"])
    assert [words.vocabulary[number - FIRST_WORD] for number in ids] == ["the", "plot", "was", "good"]
    assert min(words.ids([word])[0][0] for word in words.vocabulary) == FIRST_WORD


@pytest.mark.parametrize(("one", "other"), [("GOOD", "good"), ("ÉTÉ", "été"), (" good\t", "good")])
def test_case_and_spaces_do_not_count(words: Words, one: str, other: str) -> None:
    assert words.ids([one]) == words.ids([other])


def test_what_is_not_in_the_vocabulary_is_unknown(words: Words) -> None:
    assert words.ids(["never seen"]) == [[UNKNOWN, UNKNOWN]]


def test_a_punctuation_mark_is_a_word_of_its_own_and_an_apostrophe_is_not(words: Words) -> None:
    good = words.ids(["good"])[0][0]
    assert words.ids(["good,good!", "don't"]) == [[good, UNKNOWN, good, UNKNOWN], [UNKNOWN]]


def test_words_after_max_length_are_cut_off(words: Words) -> None:
    assert words.ids(["the plot was good good good"]) == words.ids(["the plot was good"])


def test_a_text_without_words_has_no_ids(words: Words) -> None:
    assert words.ids(["", " ", "good"]) == [[], [], words.ids(["good"])[0]]
