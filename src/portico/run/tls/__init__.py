"""Certificates of a running site: their origin, their renewal, and a check of what is really served."""
