"""Objects called `app` that no WSGI or ASGI server can run, and objects that only contain the app."""

from __future__ import annotations

from typing import Any

from portico.link.app.error import AppError
from portico.link.app.objects import is_a

_OWN_SERVER = "it has a server of its own and speaks neither WSGI nor ASGI"
_ELSEWHERE = (
    "start it by itself at an address of this machine, {}\n"
    'and have nginx pass requests on to it: [upstream] servers = ["127.0.0.1:9000"] in portico.toml'
)
_COMMANDS = "it is a command line and answers no requests"
_FOREIGN = {
    ("aiohttp.web_app", "Application"): (
        "an aiohttp app", _OWN_SERVER, _ELSEWHERE.format('such as web.run_app(app, host="127.0.0.1", port=9000)')),
    ("tornado.web", "Application"): (
        "a Tornado app", _OWN_SERVER, _ELSEWHERE.format('such as app.listen(9000, "127.0.0.1")')),
    ("gradio.blocks", "Blocks"): (
        "a Gradio app", "it is made into an ASGI app first",
        'add: app = gradio.mount_gradio_app(fastapi.FastAPI(), demo, path="/")'),
    ("typer.main", "Typer"): ("a Typer app", _COMMANDS, "name the module that holds the web app"),
    ("click.core", "Command"): ("a click command", _COMMANDS, "name the module that holds the web app"),
    ("celery.app.base", "Celery"): ("a Celery app", "it answers no requests", "name the module that holds the web app"),
}  # fmt: skip
DASH = ("dash.dash", "Dash")


def refuse_foreign(where: str, thing: Any) -> None:
    """Raises AppError for an object that a server could import, and that would answer each request with an error."""
    for names, (kind, why, hint) in _FOREIGN.items():
        if is_a(thing, names):
            raise AppError(where, f"this is {kind}: {why}", hint)


def is_foreign(thing: Any) -> bool:
    """Whether `refuse_foreign` would raise."""
    return any(is_a(thing, names) for names in _FOREIGN)
