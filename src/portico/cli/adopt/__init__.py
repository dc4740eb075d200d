"""What `portico adopt` says, and `portico run nginx.conf`."""
