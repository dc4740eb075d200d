"""Guesses the app's name from the text of its module; a wrong guess costs nothing."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

_MADE = re.compile(r"^(?P<name>app|application)[ \t]*(?::[^=\n]+)?=(?!=)", re.MULTILINE)
_FUNCTION = re.compile(r"^def (?P<name>app|application)\(", re.MULTILINE)
_FACTORY = re.compile(r"^def (?P<name>create_app|make_app)\(", re.MULTILINE)
_ASGI = re.compile(
    r"\b(?:FastAPI|Starlette|Quart|Litestar|Sanic)\(|\bget_asgi_application\(|^async def (?:app|application)\(",
    re.MULTILINE,
)


class Guess(NamedTuple):
    """`expression` is what Gunicorn takes after the module's name: `app`, `create_app()`."""

    expression: str
    kind: Literal["wsgi", "asgi"]


def guess(text: str, said: str = "") -> Guess | None:
    """The app in a module with that text; `said` is the name from the user, empty to search for one."""
    expression = _said(text, said) if said else _found(text)
    return Guess(expression, "asgi" if _ASGI.search(text) else "wsgi") if expression else None


def _said(text: str, said: str) -> str:
    """A function that was named without parentheses is a factory, unless it is the app itself."""
    defined = re.search(rf"^def {re.escape(said)}\((?P<words>[^)]*)\)", text, re.MULTILINE)
    is_factory = defined and not re.match(r"\s*(?:self\s*,\s*)?env\w*\s*,", defined["words"])
    return f"{said}()" if is_factory else said


def _found(text: str) -> str:
    names = sorted({match["name"] for match in _MADE.finditer(text)})
    names += [match["name"] for match in _FUNCTION.finditer(text)]
    names += [f"{match['name']}()" for match in _FACTORY.finditer(text)]
    return names[0] if names else ""
