"""What a FastCGI server is told: the parameters of a location, beside Portico's own list."""

from __future__ import annotations

import re

from portico.explain.nginx.adopt.view import View
from portico.explain.node import Node

_WHOLE_PATH = ("$document_uri", "$uri", "$fastcgi_script_name")
_NOT_OURS = ("SCRIPT_FILENAME", "PATH_TRANSLATED", "DOCUMENT_ROOT", "DOCUMENT_URI", "SERVER_ADDR")
"""Parameters of nginx's usual list that Portico's does not have."""
_PHP = re.compile(r"\.php\b|php\d?[\w.-]*fpm|/php", re.IGNORECASE)


def differs(view: View, location: Node) -> str:
    """How Portico's parameters differ from those of a location; empty if the server sees the same request."""
    found, made = _parameters(view, location), list[str]()
    name, path = found.get("SCRIPT_NAME", ""), found.get("PATH_INFO", "")
    if name or path not in _WHOLE_PATH or _is_split(view, location):
        was = f"{name or 'empty'} and {path or 'empty'}"
        made.append(f"SCRIPT_NAME is empty and PATH_INFO is the whole path: they were {was}")
    if missing := [one for one in _NOT_OURS if one in found]:
        made.append(f"without {', '.join(missing)}")
    return f"the app gets Portico's own list of FastCGI parameters: {'; '.join(made)}" if made else ""


def is_php(view: View, location: Node) -> bool:
    """Whether the parameters or the address name PHP: it needs a file for each request."""
    index = view.first("fastcgi_index", location)
    words = [*_parameters(view, location).values(), *(index.args if index else ())]
    node = location.first("fastcgi_pass")
    return node is not None and any(_PHP.search(word) for word in (*words, *node.args))


def _parameters(view: View, location: Node) -> dict[str, str]:
    """By name; of two with one name a server takes the last."""
    lines = view.inherited("fastcgi_param", location)
    return {one.args[0].upper(): one.args[1] for one in lines if len(one.args) > 1}


def _is_split(view: View, location: Node) -> bool:
    """Whether `$fastcgi_script_name` is another path than the request's."""
    return any(view.first(name, location) for name in ("fastcgi_split_path_info", "fastcgi_index"))
