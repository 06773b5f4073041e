"""Manages the loaded versions of models: finds them by polling, loads, swaps and unloads them."""
