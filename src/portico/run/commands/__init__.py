"""What people order and ask of a running site."""
