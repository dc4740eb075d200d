"""Where clients come in, before any path of the site is looked at."""
