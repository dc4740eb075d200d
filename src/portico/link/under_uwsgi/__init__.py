"""What runs in uWSGI's workers instead of Portico's own worker."""
