"""What needs no server: archives, and the floors of each stage."""
