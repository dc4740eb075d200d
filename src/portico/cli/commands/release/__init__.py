"""Commands that change a running site."""
