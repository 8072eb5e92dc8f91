"""Format-aware fuzzing: damage the structure, then bytes, then correct checksums and lengths.

`python -m tests.fuzzing --files 100000` decodes this many files and prints the outcomes.
"""
