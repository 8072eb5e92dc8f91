"""Keys of the tests' own server."""

FIRST, SECOND, WRONG = "0123456789abcdef", "a key of another ward", "not-one-of-them"
