"""The file in a site's runtime directory that names its gateway."""

HOST_FILE = "gateway"
