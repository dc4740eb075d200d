"""What a site has on disk: its directories, who holds them, its log files, what a site that is gone has left."""
