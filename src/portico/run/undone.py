"""The message for a failed action: where, what, and what to do about it."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping

from portico.errors import PorticoError, Problem
from portico.run.machine import action as do
from portico.run.machine.action import Action

WHAT: Mapping[type[Action], str] = {
    do.SetBooting: "{program} cannot learn whether the app is starting",
    do.CheckFiles: "the configuration cannot be written and checked",
    do.UseFiles: "the configuration cannot be applied",
    do.Prepare: "the command before the release cannot be run",
    do.Conclude: "the command after the release cannot be run",
    do.EndConclude: "the command after the release cannot be ended",
    do.StartAppServer: "the app server cannot be started",
    do.EndAppServer: "the app server cannot be stopped",
    do.AskAppServer: "the app's health cannot be checked",
    do.MakeLive: "the requests cannot be switched to the release",
    do.TakeDown: "the socket of the app that ended cannot be removed",
    do.EmptyQueue: "the requests that wait for the app that ended cannot be answered",
    do.WatchQueue: "the requests that wait for a release cannot be counted",
    do.Forget: "the files of a release that left cannot be removed",
    do.StartBackground: "a background process cannot be started",
    do.EndBackground: "a background process cannot be stopped",
    do.StartGateway: "{program} cannot be started",
    do.ReloadGateway: "{program} cannot be told to reload its configuration",
    do.EndGateway: "{program} cannot be stopped",
    do.SayGoodbye: "the sites cannot be notified that {program} ends",
    do.AskGateway: "{program} cannot be checked",
    do.MakePlan: "the new release cannot be planned",
    do.Say: "a message cannot be written",
}
_FILES = "too many files are open: raise the limit (ulimit -n, or LimitNOFILE= in the unit)"
_PROCESSES = "the limit of processes is reached: raise it (ulimit -u, or TasksMax= in the unit)"
_DISK = "free some space on that disk: df -h and df -i show what is full"
_RIGHTS = "look at the owner and the mode of that path, and whether it is mounted read-only"
_HINTS = {
    errno.ENOSPC: _DISK,
    errno.EDQUOT: _DISK,
    errno.EMFILE: _FILES,
    errno.ENFILE: "the system has no room for another open file: raise fs.file-max",
    errno.EAGAIN: _PROCESSES,
    errno.ENOMEM: "the machine or the container has no memory left: free -m shows it",
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EROFS: _RIGHTS,
    errno.ENOENT: "something removed or replaced it: put it back",
}
_NO_THREAD = "can't start new thread"


def undone(action: Action, error: Exception, program: str, where: str = "") -> Problem:
    """The problem for such an error; `program` is the gateway, `where` is used if the error names no path."""
    return failure(WHAT.get(type(action), type(action).__name__).format(program=program), error, where)


def failure(what: str, error: Exception, where: str = "") -> Problem:
    """The same for another failure, given as text."""
    if isinstance(error, PorticoError):
        return error.problems[0]
    if isinstance(error, OSError):
        reason = os.strerror(error.errno).lower() if error.errno else str(error)
        return Problem(str(error.filename or where), f"{what}: {reason}", _HINTS.get(error.errno or 0, ""))
    if isinstance(error, RuntimeError) and str(error) == _NO_THREAD:
        return Problem(where, f"{what}: {error}", _PROCESSES)
    return Problem(
        where, f"{what}: {type(error).__name__}: {error}", "this is a bug in Portico: please report it"
    )
