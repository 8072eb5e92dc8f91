"""Format-aware fuzzing: damage the structure, then bytes, then correct checksums and lengths.

`python -m tests.fuzzing --files 100000` decodes so many and says what came of them.
"""
