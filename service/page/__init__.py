"""The page for people at `/`: its files, and the words and colours that it shares with the rest of the service."""
