"""Everything that knows BentoML, circus or uvicorn from the inside."""
