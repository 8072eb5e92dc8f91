"""What `make` runs, and what it shares with the tests."""
