"""A site's files on disk: its directories, their lock, log files, and the remains of former sites."""
