"""Change a site that runs."""
