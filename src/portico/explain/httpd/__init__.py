"""Configurations of Apache httpd 2.4, of any author."""
