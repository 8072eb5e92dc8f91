"""Load from outside: everything here talks to a running server."""
