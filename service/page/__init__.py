"""The web page at `/`: its files, and the texts and colours that it shares with the rest of the service."""
