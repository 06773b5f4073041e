"""Beam's job server with a Flink of its own on this machine."""
