"""What is shipped that others made: licences and known vulnerabilities. `make sbom` lists it."""
