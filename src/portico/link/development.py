"""`portico run --dev`, in a worker: an app gets its debugger, and one that cannot be loaded is a page that says why.

Werkzeug's debugger runs the code that is typed into its page. Other users of this machine reach the page, too: it asks
for its PIN, always. Portico makes the PIN, because such a user can compute Werkzeug's own.
"""

# mypy: disable-error-code="import-untyped"
from __future__ import annotations

import html
import mmap
import os
import sys
import termios
import traceback
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Any, Final

_PIN: Final = "WERKZEUG_DEBUG_PIN"
_has_told: Final = mmap.mmap(-1, 1)
"""Whether a worker has printed the PIN: shared with those that the arbiter starts later."""
_OURS: Final = ("portico", "gunicorn", "importlib")
_TYPE: Final = "text/html; charset=utf-8"
_HEADERS: Final = (("Content-Type", _TYPE), ("Cache-Control", "no-store"))
_PAGE: Final = """<!doctype html>
<meta charset="utf-8"><title>{title}</title>
<style>body {{ font-family: system-ui, sans-serif; margin: 2em }} pre {{ overflow-x: auto }}</style>
<h1>The app cannot be loaded</h1>
<p>Save the file, and load this page again.</p>
<pre>{text}</pre>
"""


class Terminal:
    """The terminal as it was at the start: a debugger changes it while it reads a line, and may be killed then."""

    def __init__(self) -> None:
        self._before: Any = None
        with suppress(OSError, termios.error):
            self._before = termios.tcgetattr(0)

    def restore(self) -> None:
        """Show again what is typed. The terminal of another job than ours stays as it is."""
        if self._before is not None and not _is_in_background():
            with suppress(OSError, termios.error):
                termios.tcsetattr(0, termios.TCSANOW, self._before)


def _is_in_background() -> bool:
    """Whether a write to the terminal would stop us (tty_ioctl(4), SIGTTOU)."""
    try:
        return os.tcgetpgrp(0) != os.getpgrp()
    except OSError:
        return False  # it does not control us


def wsgi(load: Callable[[], Any]) -> Any:
    """The WSGI app that `load` returns with its debugger, or a page about its failure."""
    pin = os.environ.get(_PIN, "")
    try:
        app = load()
    except (Exception, SystemExit) as error:  # noqa: BLE001  whatever it is, the next save may mend it
        return _wsgi_page(_said(error))
    if "django" in sys.modules and (found := _of_django(app)):
        return found
    _set_debug(app)
    return _debugged(app, pin) if pin else app


def asgi(load: Callable[[], Any]) -> Any:
    """The ASGI app that `load` returns, in debug mode, or a page about its failure."""
    try:
        app = load()
    except (Exception, SystemExit) as error:  # noqa: BLE001  as above
        return asgi_page(error)
    if "django" in sys.modules and (found := _of_django(app)):
        return found
    _set_debug(app)
    return app


def asgi_page(error: BaseException) -> Any:
    """An ASGI app that answers everything with that traceback."""
    return _asgi_page(_said(error))


def _debugged(app: Any, pin: str) -> Any:
    """With Werkzeug's debugger, if it is installed. It reads the variable once; the app may have changed it."""
    try:
        from werkzeug.debug import DebuggedApplication
    except ImportError:
        return app
    is_off = os.environ.get(_PIN) == "off"
    os.environ[_PIN] = pin
    debugged = DebuggedApplication(app, evalex=True, pin_logging=True)
    known = debugged.pin
    if not _has_told[0]:
        _has_told[0] = 1
        if is_off:
            what = "every user of this machine reaches the debugger, which runs code as you"
            _say(f"{_PIN}=off is not obeyed: {what}")
        os.write(2, f"Werkzeug's debugger asks for this PIN: {known}\n".encode())  # sys.stderr: app.log, too
    return debugged


def _set_debug(app: Any) -> None:
    """As `flask run --debug` sets it. Starlette, FastAPI and Quart have the same attribute."""
    if isinstance(getattr(type(app), "debug", None), property) or isinstance(
        getattr(app, "debug", None), bool
    ):
        with suppress(Exception):  # an attribute of something else
            app.debug = True


def _of_django(app: Any) -> Any:
    """Django has its debug page; its static files are found in its apps, as `manage.py runserver` does it."""
    from django.conf import settings
    from django.core.handlers.asgi import ASGIHandler
    from django.core.handlers.wsgi import WSGIHandler

    if not isinstance(app, ASGIHandler | WSGIHandler):
        return None
    if "django.contrib.staticfiles" not in settings.INSTALLED_APPS:
        return app
    from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler, StaticFilesHandler

    return (ASGIStaticFilesHandler if isinstance(app, ASGIHandler) else StaticFilesHandler)(app)


def _said(error: BaseException) -> str:
    """Its traceback without our frames, which the terminal gets, too."""
    first = error.__traceback__
    while first is not None and first.tb_next is not None and _is_ours(first):
        first = first.tb_next
    is_syntax = isinstance(error, SyntaxError) and first is not None and _is_ours(first)
    lines = traceback.format_exception(type(error), error, None if is_syntax else first)
    text = "".join(lines)
    _say(text.rstrip())
    return text


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _is_ours(frame: TracebackType) -> bool:
    name = str(frame.tb_frame.f_globals.get("__name__", ""))
    return name.partition(".")[0] in _OURS or name == __name__


def _page(text: str) -> bytes:
    title = text.rstrip().rpartition("\n")[2]
    return _PAGE.format(title=html.escape(title), text=html.escape(text)).encode("utf-8", "replace")


def _wsgi_page(text: str) -> Callable[[Any, Any], Iterable[bytes]]:
    body = _page(text)

    def answer(_: Any, start_response: Any) -> Iterable[bytes]:
        start_response("500 Internal Server Error", [*_HEADERS, ("Content-Length", str(len(body)))])
        return [body]

    return answer


def _asgi_page(text: str) -> Callable[[Any, Any, Any], Awaitable[None]]:
    body = _page(text)
    head = [(name.lower().encode(), value.encode()) for name, value in _HEADERS]

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            kind = ""
            while kind != "lifespan.shutdown":
                kind = (await receive())["type"]
                await send({"type": f"{kind}.complete"})
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1011})
        else:
            await send({"type": "http.response.start", "status": 500, "headers": head})
            await send({"type": "http.response.body", "body": body})

    return answer
