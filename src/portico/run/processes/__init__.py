"""Children: started, watched, written down for whoever comes after a kill, ended with all their descendants."""
