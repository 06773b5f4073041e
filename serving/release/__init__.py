"""Releases: the versions of models in a bucket, and how they are written, read, retained and rolled back."""
