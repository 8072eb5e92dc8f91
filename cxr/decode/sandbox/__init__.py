"""DICOM decoders in child processes: a hostile file can harm only a process that may die.

In the parent `pool` gives files to `decoder`s, which `forks` makes. `fork_server` forks the children; each runs
`worker` inside the limits of `confinement`. `wire` defines the messages between the two sides.
"""
