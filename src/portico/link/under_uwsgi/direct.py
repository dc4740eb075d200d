"""In a uWSGI worker: once the app is loaded, its standard error is the same as Portico's.

uWSGI prints some thirty lines at a start on its standard error, and no option turns them off. So Portico reads and
filters them, and passes the app's output on. What the app writes during its import passes through Portico, too;
nothing is lost, because one descriptor replaces the other atomically.
"""

from __future__ import annotations

import _thread
import os
import time

import uwsgi  # uWSGI's built-in module

_LOOK_SECONDS = 0.05


def _is_loaded() -> bool:
    return bool(uwsgi.workers()[uwsgi.worker_id() - 1]["apps"])


def _wait() -> None:
    while not _is_loaded():
        time.sleep(_LOOK_SECONDS)
    os.dup2(1, 2)


_thread.start_new_thread(_wait, ())  # not a thread that the app sees among its own
