"""Errors as TensorFlow, Keras and Beam really raise them, in one line."""
