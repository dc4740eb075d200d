"""What an expert would say is wrong with an nginx configuration; one file for each subject."""
