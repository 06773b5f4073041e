"""The last stage: a gated model becomes a version in the bucket."""
