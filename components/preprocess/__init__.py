"""Raw features to model features, with tf.Transform."""
