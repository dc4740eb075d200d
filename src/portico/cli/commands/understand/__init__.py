"""Say what would be done, and why."""
