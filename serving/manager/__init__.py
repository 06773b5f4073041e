"""Which versions of which models are loaded: found by polling, loaded, swapped and unloaded."""
