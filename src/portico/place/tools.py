"""Variables of the environment that decide for Gunicorn, uWSGI and nginx: they are not passed on, the plan decides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

_NAMES = frozenset({"WEB_CONCURRENCY", "FORWARDED_ALLOW_IPS", "NGINX", "SENDFILE"})
"""Gunicorn's number of workers, whom it believes, how it sends files; nginx's inherited sockets."""
_BEGINNINGS = ("GUNICORN_", "UWSGI_")
"""GUNICORN_CMD_ARGS comes after the configuration file and wins; uWSGI takes every option from such a variable."""


def of_tools(names: Iterable[str]) -> tuple[str, ...]:
    """Those of the names that decide for one of these programs, sorted."""
    return tuple(sorted(name for name in names if name in _NAMES or name.startswith(_BEGINNINGS)))


def without_tools(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without them."""
    left_out = frozenset(of_tools(environ))
    return {name: value for name, value in environ.items() if name not in left_out}
