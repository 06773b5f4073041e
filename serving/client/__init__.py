"""The client's two transports; `serving.client.client` chooses by the URL."""
