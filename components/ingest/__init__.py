"""Raw data to TFRecord of tf.train.Example: CSV, TFRecord, folders of images, IDX, from any fsspec URL."""
