"""nginx as a program that Portico runs."""

from __future__ import annotations

import signal

from portico.log.errors.nginx import HASH
from portico.plan.paths import temporary
from portico.run.gateway.nginx import cache_files, workers
from portico.run.gateway.nginx.bodies import bodies
from portico.run.gateway.nginx.objections import VARIABLE, objections
from portico.run.gateway.program import CacheFiles, Program
from portico.run.processes.child import Signals

NGINX = Program(
    name="nginx",
    ends=Signals(drain=signal.SIGQUIT, hurry=signal.SIGTERM),
    ends_worker=signal.SIGTERM,
    reload=signal.SIGHUP,
    reopen=signal.SIGUSR1,
    inherits=lambda descriptors: {VARIABLE: "".join(f"{fd};" for fd in descriptors)},
    objections=objections,
    is_noise=lambda line: HASH in line,
    master=workers.master,
    accepts=workers.accepts,
    is_leaving=workers.is_leaving,
    sees_seconds=1.1,  # it caches for one second of its clock that the file is missing
    leftovers=(workers.PID_FILE,),
    bodies=lambda pids, plan: bodies(pids, temporary(plan.state)),
    cache=CacheFiles(cache_files.files, cache_files.read, cache_files.drop),
)
