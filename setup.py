"""For Beam, which builds what it ships to workers by `setup.py sdist`; all there is to say is in pyproject.toml."""

from setuptools import setup

setup()
