"""All code that depends on internals of BentoML, circus or uvicorn."""
