"""Patterns of paths that meet: several routes for one path, and rules that a route may reach."""
