"""HTTP/1.1 on asyncio and httptools, and the listeners that HTTP/2 shares with it."""
