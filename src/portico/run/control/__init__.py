"""The control socket: client and server."""
