"""A site as a container image: a Dockerfile, what the image leaves out, and how its packages get in."""
