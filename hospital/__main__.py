"""The command, for an image that holds this package and what it needs."""

from hospital.app import app

app(prog_name="python -m hospital")
