"""Built-in samples, and how they are made."""
