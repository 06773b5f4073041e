"""Gate 2: optimized variants of a model, each judged and measured, and the choice among them."""
