"""The web servers of this machine that can be the gateway."""
