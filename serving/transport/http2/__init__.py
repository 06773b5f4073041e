"""HTTP/2 (RFC 9113) for servers, on asyncio: as much of it as gRPC needs, and all of it that clients may send."""
