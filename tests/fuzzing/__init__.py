"""Files that know their format and break it: structure first, bytes second, checksums and lengths mended after.

`python -m tests.fuzzing --files 100000` decodes so many and says what came of them.
"""
