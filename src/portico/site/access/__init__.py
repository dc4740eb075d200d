"""Who may come to which paths, as the options and the app say it."""
