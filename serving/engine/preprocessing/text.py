"""Text: a string to the ids of its words."""

import re

# Runs of letters, digits and apostrophes; any other mark that is no space is a word of its own.
_WORD = re.compile(r"(?:[^\W_]|')+|[^ \t\n\v\f\r]")

UNKNOWN = 1


def read_vocabulary(content: str, first_id: int) -> dict[str, int]:
    """Number the words of a file, one a line."""
    return {word: first_id + index for index, word in enumerate(content.split("\n")) if word}


def word_ids(text: bytes, vocabulary: dict[str, int], max_length: int) -> list[int]:
    """Ids of the first `max_length` words, in lower case; a single 0 for a text without words."""
    words = _WORD.findall(text.decode(errors="replace").lower())
    return [vocabulary.get(word, UNKNOWN) for word in words[:max_length]] or [0]
