"""An HTTP/2 server (RFC 9113) on asyncio: it sends what gRPC needs, and handles everything that clients may send."""
