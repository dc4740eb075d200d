"""Run a site: start it, stop it, look for what would break, make a service of it."""
