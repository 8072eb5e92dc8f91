"""HTTP and nothing else: `cxr` and `attribution`, which know no request, decide what a radiograph says."""
