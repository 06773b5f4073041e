"""Preprocessing without TensorFlow, for LiteRT models: encoded images and raw text to what a model reads.

It repeats, in numpy, what the built-in tf.Transform functions compute. The optimizer compares the two on real
examples before it trusts this one (see components/optimize/preprocessing.py), and falls back to a SavedModel.
"""
