"""Lessons about a site: questions whose answers are what really happened to requests. Pure."""
