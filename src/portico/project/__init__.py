"""From the user's words to Site, Place and Plan; the command line only parses and prints."""
