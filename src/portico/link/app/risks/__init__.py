"""What an app has wide open, and what it must not do in several processes."""
