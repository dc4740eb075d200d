"""See what a site does."""
