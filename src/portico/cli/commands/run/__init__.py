"""Commands that start, stop and check a site, and export it as a service."""
