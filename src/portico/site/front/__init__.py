"""What a front end has beside its folders: a manifest, hashed names, routes of its own."""
