"""Kubeflow Pipelines: the same graph as a package of container steps, and a client for the backend that runs it."""
