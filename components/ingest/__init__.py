"""Raw data to TFRecord examples."""
