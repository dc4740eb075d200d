"""What `portico learn` shows."""
