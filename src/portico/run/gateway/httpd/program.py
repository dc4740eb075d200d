"""Apache httpd as a program that Portico runs."""

from __future__ import annotations

import signal

from portico.protocol.status import Bodies, BodyFiles
from portico.run.gateway.httpd import orphan, workers
from portico.run.gateway.httpd.objections import objections
from portico.run.gateway.program import CacheFiles, Program
from portico.run.processes.child import Signals

_NONE = BodyFiles(0, 0)

HTTPD = Program(
    name="apache",
    ends=Signals(drain=signal.SIGWINCH, hurry=signal.SIGTERM, orphan=orphan.end),
    ends_worker=signal.SIGKILL,  # SIGTERM only wakes it
    reload=signal.SIGUSR1,
    reopen=signal.SIGUSR1,
    inherits=None,
    objections=objections,
    is_noise=lambda _: False,
    master=workers.master,
    accepts=workers.accepts,
    is_leaving=workers.is_leaving,
    sees_seconds=0.0,
    leftovers=(workers.PID_FILE,),
    bodies=lambda *_: Bodies(uploads=_NONE, answers=_NONE),
    cache=CacheFiles(lambda *_: iter(()), lambda _: None, lambda _: False),
)
