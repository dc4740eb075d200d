"""From the words a user typed to Site, Place and Plan; the command line only parses and prints."""
