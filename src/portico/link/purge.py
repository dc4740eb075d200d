"""`portico.purge`: the app asks the Portico that runs it to delete cached answers."""

from __future__ import annotations

import json
import os
import socket
import urllib.parse

from portico.errors import PorticoError, Problem
from portico.http import END, request_head

CONTROL = "PORTICO_CONTROL"
"""The variable with the address of an app's Portico."""
_SECONDS = 30.0


def purge(*what: str) -> int:
    """See `portico.purge`."""
    path = os.environ.get(CONTROL)
    if not path or not what:
        return 0
    if broken := [one for one in what if "\n" in one]:
        raise PorticoError(Problem("portico.purge", f"{broken[0]!r} has a line break", "name one URL or tag"))
    query = urllib.parse.urlencode({"what": "\n".join(what)})
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_SECONDS)
            connection.connect(path)
            connection.sendall(request_head("POST", f"/purge?{query}"))
            with connection.makefile("rb") as answer:
                _, _, body = answer.read().partition(END)
        said = json.loads(body)
    except (OSError, ValueError) as error:
        raise PorticoError(Problem("portico.purge", f"Portico does not answer: {error}")) from error
    if "error" in said:
        raise PorticoError(Problem("portico.purge", said["error"]))
    return int(said["purged"])
