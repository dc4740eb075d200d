"""The stored data of a site: its certificate, cached answers, and directories of former sites."""
