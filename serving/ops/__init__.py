"""Operations: metrics, logs, TLS, tokens, limits."""
