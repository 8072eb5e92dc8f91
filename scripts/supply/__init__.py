"""Third-party packages in the images: licences and known vulnerabilities. `make sbom` lists the packages."""
