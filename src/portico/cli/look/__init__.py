"""The texts of the commands that look at a running site."""
