"""Engines that run models: TensorFlow for SavedModels, LiteRT for `model.tflite`."""
