"""What operators need: metrics, logs, TLS, tokens, limits."""
