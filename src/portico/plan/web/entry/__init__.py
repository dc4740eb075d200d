"""Where clients connect, before the site's paths matter."""
