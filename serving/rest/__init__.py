"""TensorFlow Serving's REST API over the data plane."""
