"""The headers of the app's static files, as an anonymous client gets them."""
