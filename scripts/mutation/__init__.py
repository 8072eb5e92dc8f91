"""Mutation testing of cxr/ and attribution/: small faults, one at a time, that a test has to notice."""
