"""Converts a text to the ids of its words."""

import re

# Runs of letters, digits and apostrophes; any other character that is not whitespace is a word of its own.
_WORD = re.compile(r"(?:[^\W_]|')+|[^ \t\n\v\f\r]")

UNKNOWN = 1


def read_vocabulary(content: str, first_id: int) -> dict[str, int]:
    """Number the words of a file that has one per line."""
    return {word: first_id + index for index, word in enumerate(content.split("\n")) if word}


def word_ids(text: bytes, vocabulary: dict[str, int], max_length: int) -> list[int]:
    """Return the ids of the first `max_length` words, in lower case; a single 0 for a text without words."""
    words = _WORD.findall(text.decode(errors="replace").lower())
    return [vocabulary.get(word, UNKNOWN) for word in words[:max_length]] or [0]
