"""What `portico export` writes, a file for each program that reads it."""
