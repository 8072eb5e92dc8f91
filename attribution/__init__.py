"""Explanation methods: maps of the evidence that a network found. Needs torch; does not handle files or HTTP."""
