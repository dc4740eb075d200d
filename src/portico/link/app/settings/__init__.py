"""What the app believes of what is in front of it: asked as its risks are, and judged by who knows the site."""
