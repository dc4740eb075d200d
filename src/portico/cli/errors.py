"""Prints every error as one clear text and sets the exit code."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from portico.cli.output import complain, say
from portico.errors import FAILED, PorticoError, Problem

_OTHER_DISK = (
    "make room there, or set PORTICO_RUNTIME_DIR and PORTICO_STATE_DIR to directories on another disk"
)


def exit_code_of(command: Callable[[], object]) -> int:
    """Call `command`; print its errors to stderr and exit with their code."""
    try:
        command()
    except PorticoError as error:
        complain(error)
        return error.exit_code
    except BrokenPipeError:
        # The reader of our output closed it (`portico plan | head`): no message is needed.
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
    """The system's error and its name. A text that cannot be encoded is the name of a file."""
    if isinstance(error, UnicodeEncodeError):
        return Problem("", f"{error.object!a} is not UTF-8", "rename it: Portico writes UTF-8")
    where = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
    what = error.strerror or str(error) or type(error).__name__
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return Problem(where, what, _own_directory(where))
    return Problem(where or ", ".join(_full_disks()), what, _OTHER_DISK)


def _own_directory(where: str) -> str:
    """The option or variable that moves Portico's own files, if this is one of them."""
    from portico.place.probe import parents

    names = zip(parents(), ("PORTICO_RUNTIME_DIR", "PORTICO_STATE_DIR"), strict=True)
    found = next((name for parent, name in names if where and Path(where).is_relative_to(parent)), "")
    return f"set {found} to a directory of your own" if found else ""


def _full_disks() -> list[str]:
    """Where the disk is full: the error itself does not name the file."""
    from portico.place.probe import parents
    from portico.run.disk.free_space import full

    written = (*parents(), Path(tempfile.gettempdir()))
    there = [next(one for one in (path, *path.parents) if one.exists()) for path in written]
    return full(dict.fromkeys(map(str, there)))


def _complain_of_bug(error: Exception) -> None:
    """Report a fault of Portico itself, and how to find its place."""
    say(f"portico: internal error: {type(error).__name__}: {error}")
    say("  this is a bug in Portico, not in your app; set PORTICO_DEBUG=1 to see where, and please report it")
