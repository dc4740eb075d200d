"""Gunicorn for an app that runs as another user than Portico: `python -m portico.link.arbiter ...`.

Gunicorn removes the path of its socket when it ends, and trips when it may not: here the directory belongs to root. A
socket that systemd handed over it leaves alone, and this one was handed over just so.
"""

from __future__ import annotations

import sys

from gunicorn import arbiter
from gunicorn.app import base, wsgiapp


class Arbiter(arbiter.Arbiter):  # type: ignore[misc]
    """Believes that its sockets are somebody else's."""

    systemd = property(lambda _: True, lambda *_: None)


def main() -> None:
    base.Arbiter = Arbiter
    sys.argv[0] = "gunicorn"
    wsgiapp.run()


if __name__ == "__main__":
    main()
