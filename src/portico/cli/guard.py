"""Every error ends here, as one clear text and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from portico.cli.output import complain, say
from portico.errors import FAILED, PorticoError, Problem


def guarded(command: Callable[[], object]) -> int:
    """Call `command`; its errors become text on stderr and an exit code."""
    try:
        command()
    except PorticoError as error:
        complain(error)
        return error.exit_code
    except BrokenPipeError:
        # The reader of our output left (`portico plan | head`): nothing to say, nobody to say it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + 13
    except KeyboardInterrupt:
        return 130
    except (OSError, UnicodeEncodeError) as error:
        if os.environ.get("PORTICO_DEBUG"):
            raise
        complain(PorticoError(_problem(error)))
        return FAILED
    except Exception as error:
        if os.environ.get("PORTICO_DEBUG"):
            raise
        _complain_of_bug(error)
        return FAILED
    return 0


def _problem(error: OSError | UnicodeEncodeError) -> Problem:
    """What the system refused, by its own name; a text that cannot be encoded came from a name on disk."""
    if isinstance(error, UnicodeEncodeError):
        return Problem("", f"{error.object!a} is not UTF-8", "rename it: what is written is UTF-8")
    where = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
    return Problem(where, error.strerror or str(error) or type(error).__name__)


def _complain_of_bug(error: Exception) -> None:
    """Say that Portico itself is at fault, and how to find out where."""
    say(f"portico: internal error: {type(error).__name__}: {error}")
    say(
        "  this is a fault of Portico's, not of your app; set PORTICO_DEBUG=1 to see where, and please report it"
    )
