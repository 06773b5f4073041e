"""TensorFlow Serving's messages and file formats, read and written without TensorFlow."""
