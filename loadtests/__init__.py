"""Load tests: everything here sends requests to a running server."""
