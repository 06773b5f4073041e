"""Gate 1: the candidate against bounds and against the latest release."""
