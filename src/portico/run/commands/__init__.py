"""What people tell and ask of a running site."""
