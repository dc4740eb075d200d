"""In a worker of uWSGI: once the app is loaded, its standard error is the one that Portico's is.

uWSGI says some thirty lines at a start, on its standard error, and has no option against it. So Portico reads them, and
the standard output is where the words of the app belong. What the app writes while it is imported passes through
Portico, too; nothing is lost between, because one descriptor replaces the other in one step.
"""

from __future__ import annotations

import _thread
import os
import time

import uwsgi  # the module that uWSGI itself brings

_LOOK_SECONDS = 0.05


def _is_loaded() -> bool:
    return bool(uwsgi.workers()[uwsgi.worker_id() - 1]["apps"])


def _wait() -> None:
    while not _is_loaded():
        time.sleep(_LOOK_SECONDS)
    os.dup2(1, 2)


_thread.start_new_thread(_wait, ())  # not one that the app sees among its own
