"""The stages that Slipway adds to TFX, a folder each."""
