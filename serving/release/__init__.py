"""Releases: what a version in the bucket is, how it is written, read, kept and taken back."""
