"""What nginx complains of that nobody can mend, and that harms nobody."""

IDLE = "_params_hash, you should increase either"
"""In a warning about its table of uwsgi_param and fastcgi_param: the headers that are kept from the app are more than
it finds a perfect order for. No directive sets the size of that table; it takes larger buckets, which do as well."""
