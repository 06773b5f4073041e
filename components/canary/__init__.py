"""Gate 3: the candidate in a real server process, asked and measured before it may be pushed."""
