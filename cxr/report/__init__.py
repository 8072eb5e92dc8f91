"""A finding and its maps in words and pictures, for people."""
