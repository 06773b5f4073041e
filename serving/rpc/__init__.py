"""TensorFlow Serving's gRPC services over the data plane."""
