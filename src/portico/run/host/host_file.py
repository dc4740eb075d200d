"""The file in a site's runtime directory that names the gateway which serves it."""

HOST_FILE = "gateway"
