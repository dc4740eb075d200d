"""What runs in the workers of uWSGI instead of Portico's own worker."""
