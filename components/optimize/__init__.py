"""Lighter variants of a model, each judged again, and the choice among them."""
