"""Which model may be released: the one that an unbroken chain of passing verdicts leads to."""

from collections.abc import Sequence

from components.verdict import Verdict


def approved(verdicts: Sequence[Verdict]) -> set[str]:
    """Return the digest that may be released; nothing where the chain is broken.

    Arguments:
        verdicts: of the data gate, of Gate 1, and of every later gate in its order. Each gate after Gate 1 names as its
            baseline the model that the gate before it let through, and as its digest what it lets through itself.
    """
    if len(verdicts) < 2 or not all(verdict.passed for verdict in verdicts):
        return set()
    _, first, *later = verdicts
    digest = first.digest
    for verdict in later:
        if verdict.baseline_digest != digest:
            return set()
        digest = verdict.digest
    return {digest}
