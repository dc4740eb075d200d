"""The programs that run apps: what a machine knows of each. `plan.appserver.kind` has their features."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Program:
    """A program that runs the app."""

    name: str
    """Its name in `[workers] server` and as a process; empty if no app runs here."""
    title: str = ""
    """Its name for people."""
    package: str = ""
    """Its package for pip."""
    variables: frozenset[str] = frozenset()
    """Environment variables that change its behaviour."""
    prefix: str = ""
    """Prefixes of more of them."""


GUNICORN = Program(
    "gunicorn",
    "Gunicorn",
    "gunicorn",
    # The number of workers, the trusted proxies, and how it sends files.
    variables=frozenset({"WEB_CONCURRENCY", "FORWARDED_ALLOW_IPS", "SENDFILE"}),
    # GUNICORN_CMD_ARGS comes after the configuration file and wins.
    prefix="GUNICORN_",
)
UWSGI = Program("uwsgi", "uWSGI", "pyuwsgi", prefix="UWSGI_")  # takes every option from such a variable
NONE = Program("")
"""Every server is elsewhere."""

PROGRAMS = (GUNICORN, UWSGI)
