"""Certificates while a site runs: where they come from, when they are renewed, what is really served."""
