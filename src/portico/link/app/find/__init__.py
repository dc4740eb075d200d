"""Where the app is, and which object of its module it is."""
