"""uWSGI, started in the app's own environment by `link.start`."""

from __future__ import annotations

import sys

import pyuwsgi


def main() -> None:
    pyuwsgi.run(sys.argv[1:])
