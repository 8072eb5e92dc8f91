"""Commands that `make` runs, and code that they share with the tests."""
