"""Access control: API keys, origins and rate limits."""
