"""The `portico` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit."""
    from portico.cli import portico
    from portico.cli.guard import guarded

    sys.exit(guarded(lambda: portico.main(prog_name="portico", standalone_mode=True)))


if __name__ == "__main__":
    main()
