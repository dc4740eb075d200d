"""Access to paths, as the options and the app declare it."""
