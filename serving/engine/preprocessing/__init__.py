"""Preprocessing of LiteRT models without TensorFlow: from encoded images and raw text to a model's inputs.

It computes in numpy what the built-in tf.Transform functions compute. The optimizer compares the two on real
examples before it uses this one (see components/optimize/preprocessing.py), and otherwise falls back to a SavedModel.
"""
