"""The programs that run apps: what a machine knows of each. What each can do is in `plan.appserver.kind`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Program:
    """A program that runs the app."""

    name: str
    """As `[workers] server` and the process are called; empty when no app is run here."""
    title: str = ""
    """How people call it."""
    package: str = ""
    """What pip installs it by."""
    variables: frozenset[str] = frozenset()
    """Variables of the environment that decide for it."""
    prefix: str = ""
    """How more of them begin."""


GUNICORN = Program(
    "gunicorn",
    "Gunicorn",
    "gunicorn",
    # The number of workers, whom it believes, how it sends files.
    variables=frozenset({"WEB_CONCURRENCY", "FORWARDED_ALLOW_IPS", "SENDFILE"}),
    # GUNICORN_CMD_ARGS comes after the configuration file and wins.
    prefix="GUNICORN_",
)
UWSGI = Program("uwsgi", "uWSGI", "pyuwsgi", prefix="UWSGI_")  # takes every option from such a variable
NONE = Program("")
"""Every server is elsewhere."""

PROGRAMS = (GUNICORN, UWSGI)
