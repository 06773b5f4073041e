"""Configuration, the graph, its runners and the slipway command line."""
