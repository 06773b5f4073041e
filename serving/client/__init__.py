"""The client of a model server: `from serving.client import Client`."""

from serving.client.base import PredictError
from serving.client.client import Client

__all__ = ["Client", "PredictError"]
