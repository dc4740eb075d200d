"""The benchmark: Portico and its peers, side by side in one session. See README.md beside this file."""

import os

os.environ.setdefault("PORTICO_USER", "root" if os.geteuid() == 0 else "")
"""The peers' apps run as whoever starts them, and so does Portico's."""
os.environ.setdefault("PORTICO_NGINX", "embedded")
"""The binary that the peers behind nginx run, too."""
