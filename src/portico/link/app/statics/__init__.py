"""What the app says with its static files, asked as a stranger would."""
