"""Commands that show what would be done, and why."""
