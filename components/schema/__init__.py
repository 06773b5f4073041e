"""The schema: inferred once, reviewed as text, imported after that."""
