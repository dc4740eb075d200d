"""Decisions about the link between the gateway and its upstream: the app here, or servers elsewhere."""
