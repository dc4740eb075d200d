"""Child processes: started, watched, recorded for the next start after a kill, ended with all their descendants."""
