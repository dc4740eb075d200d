"""The control socket: both ends."""
