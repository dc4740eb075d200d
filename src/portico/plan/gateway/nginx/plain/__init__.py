"""The configuration for an nginx that runs without Portico."""
