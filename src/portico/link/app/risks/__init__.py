"""Risks of an app: what it exposes, and what it must not do in several processes."""
