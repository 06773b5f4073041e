"""The client's two transports; `serving.predict` chooses by the URL."""
