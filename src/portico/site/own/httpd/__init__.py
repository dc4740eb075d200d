"""The user's own directives for Apache httpd."""
