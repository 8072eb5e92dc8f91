"""Decoders in child processes: what a stranger's DICOM file can do to a decoder, it does to a process that may die.

Parent's side: `pool` hands files to `decoder`s, which `forks` has made. Children: `fork_server` forks them, `worker` is
what they do, shut in by `confinement`. `wire` is what the two sides say to each other.
"""
