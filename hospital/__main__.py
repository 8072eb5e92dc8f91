"""The command as a module, for an image with only this package and its dependencies."""

from hospital.app import app

app(prog_name="python -m hospital")
