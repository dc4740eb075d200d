"""The `portico` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit."""
    from portico.cli import portico
    from portico.cli.errors import exit_code_of

    sys.exit(exit_code_of(lambda: portico.main(prog_name="portico", standalone_mode=True)))


if __name__ == "__main__":
    main()
