"""What a front end has beside its folders: a manifest, hashed names, client-side routes."""
