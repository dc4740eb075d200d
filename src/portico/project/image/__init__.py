"""What goes into an image, read from the site's directory and from this Python's packages."""
