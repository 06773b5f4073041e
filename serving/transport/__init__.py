"""HTTP/1.1 and HTTP/2 on asyncio. Nothing here knows about models."""
