"""A page of the site in a real browser: what it fetched, when a person saw it, and what would make it faster."""
