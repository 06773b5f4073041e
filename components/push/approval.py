"""Which model may be released: the one that every gate passed, each judging what the gate before it passed."""

from collections.abc import Sequence

from components.verdict import Verdict


def approved(verdicts: Sequence[Verdict]) -> set[str]:
    """Return the digest that may be released; an empty set if a gate refused or judged another model.

    Args:
        verdicts: of the data gate, of Gate 1, and of every later gate in its order. A later gate either judges the very
            model that the gate before it passed, or names that as its baseline and another as its digest.
    """
    if len(verdicts) < 2 or not all(verdict.passed for verdict in verdicts):
        return set()
    _, first, *later = verdicts
    digest = first.digest
    for verdict in later:
        if digest not in (verdict.digest, verdict.baseline_digest):
            return set()
        digest = verdict.digest
    return {digest}
