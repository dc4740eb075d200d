"""Children: started, watched, written down for the next start after a kill, ended with all their descendants."""
