"""Training and export."""
