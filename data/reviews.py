"""The built-in text sample: generated reviews in which the order of the words decides.

"Good, not bad at all" and "bad, not good at all" hold the same words, and after a "but" only what follows
counts; so a model that ignores order cannot be right on the negated and mixed ones. Some labels are wrong on
purpose: no model is perfect here, as none is on real text.
"""

import csv
import random

from data.staging import staged

ROWS = 4000
NOISE = 0.04
SEED = 20
STYLES = ("plain", "negated", "mixed")

ASPECTS = [
    "plot",
    "acting",
    "food",
    "service",
    "music",
    "room",
    "staff",
    "menu",
    "camera",
    "script",
    "ending",
    "soundtrack",
    "view",
    "breakfast",
    "battery",
    "screen",
    "keyboard",
    "story",
    "dialogue",
    "pacing",
    "coffee",
    "dessert",
    "waiter",
    "location",
    "cast",
]
GOOD = [
    "good",
    "great",
    "lovely",
    "wonderful",
    "superb",
    "charming",
    "delightful",
    "brilliant",
    "solid",
    "pleasant",
    "excellent",
    "fun",
]
BAD = [
    "bad",
    "awful",
    "boring",
    "dreadful",
    "terrible",
    "clumsy",
    "horrible",
    "dull",
    "weak",
    "unpleasant",
    "poor",
    "annoying",
]
DEGREES = ("", "", "really ", "quite ", "very ", "truly ", "rather ")
NEUTRAL = (
    "we went there on a {day}",
    "my {person} had told me about it",
    "it took about {number} minutes",
    "i read the other reviews first",
    "this was our {number}th time",
    "we paid {number} dollars",
    "i watched it with my {person}",
    "there were {number} of us",
    "it was a {day} evening",
)
DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
PEOPLE = ["sister", "brother", "friend", "neighbour", "boss", "daughter", "son", "colleague"]


def write(path: str) -> None:
    """Write `<path>/reviews.csv`: 4,000 rows of `text`, `label` (positive, negative) and `style`.

    `style` is plain ("the plot was great"), negated ("the plot was not great") or mixed ("the plot was great,
    but the acting was dull"). 4 % of the labels are flipped. The same rows on every machine.

    Args:
        path: a local folder that does not exist yet.
    """
    chance = random.Random(SEED)
    with (
        staged(path) as folder,
        (folder / "reviews.csv").open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(("text", "label", "style"))
        for _ in range(ROWS):
            positive, style = chance.random() < 0.5, chance.choice(STYLES)
            text = review(chance, positive, style)
            label = positive != (chance.random() < NOISE)
            writer.writerow((text, "positive" if label else "negative", style))


def review(chance: random.Random, positive: bool, style: str) -> str:
    """Make a review of two to four sentences; its opinions agree with `positive`, the rest is neutral."""
    make = {"plain": _plain, "negated": _negated, "mixed": _mixed}[style]
    sentences = [make(chance, positive) for _ in range(chance.choice((1, 1, 2)))]
    for _ in range(chance.randint(1, 2)):
        filler = chance.choice(NEUTRAL).format(
            day=chance.choice(DAYS), person=chance.choice(PEOPLE), number=chance.randint(4, 90)
        )
        sentences.insert(chance.randint(0, len(sentences)), filler)
    return ". ".join(sentences) + "."


def _word(chance: random.Random, positive: bool) -> str:
    return chance.choice(GOOD if positive else BAD)


def _plain(chance: random.Random, positive: bool) -> str:
    return f"the {chance.choice(ASPECTS)} was {chance.choice(DEGREES)}{_word(chance, positive)}"


def _negated(chance: random.Random, positive: bool) -> str:
    aspect, said, denied = chance.choice(ASPECTS), _word(chance, positive), _word(chance, not positive)
    return chance.choice(
        (
            f"the {aspect} was not {denied}",
            f"the {aspect} was never {denied}",
            f"i would not call the {aspect} {denied}",
            f"the {aspect} was {said}, not {denied} at all",
            f"the {aspect} was not {denied}, it was {said}",
            f"nobody can say that the {aspect} was {denied}",
        )
    )


def _mixed(chance: random.Random, positive: bool) -> str:
    first, second = chance.sample(ASPECTS, 2)
    counts, other = _word(chance, positive), _word(chance, not positive)
    return chance.choice(
        (
            f"the {first} was {other}, but the {second} was {counts}",
            f"although the {first} was {other}, the {second} was {counts}",
            f"the {first} was {counts}, even though the {second} was {other}",
            f"the {first} was {other}; still, the {second} was {counts}",
        )
    )
