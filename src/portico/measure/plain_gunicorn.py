"""Gunicorn as its own command starts it, with the interpreter of the app: see `link.start`."""

from __future__ import annotations


def main() -> None:
    from gunicorn.app.wsgiapp import run

    run()
