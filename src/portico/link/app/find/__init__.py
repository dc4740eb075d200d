"""Finds the app: its module, and the object in it."""
