"""Commands that show what a site does."""
