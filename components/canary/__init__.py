"""Gate 3: the candidate is tried and measured in a real server process before it may be pushed."""
