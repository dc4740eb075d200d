"""A systemd unit that starts an app server."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec.structs import replace

from portico.explain.adopted import Fate, Option, Remark
from portico.project.adopt.app_server import AppServer, http_address
from portico.project.adopt.command import Read, server_of

_SPECIFIER = re.compile(r"%[a-zA-Z]")
_PREFIX = re.compile(r"^[-@:+!|]+")


def lines_of(text: str) -> Iterator[tuple[str, str, str, int]]:
    """Section, name, value and line number of each setting; a backslash at its end continues a line."""
    section, held, began = "", "", 0
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not held and (not stripped or stripped[0] in "#;"):
            continue
        began = began or number
        if stripped.endswith("\\"):
            held += f"{stripped[:-1]} "
            continue
        whole, at, held, began = held + stripped, began, "", 0
        if whole.startswith("["):
            section = whole.strip("[]")
        else:
            name, _, value = (part.strip() for part in whole.partition("="))
            yield section, name, value, at


def of_unit(text: str, where: str, read: Read, socket: str = "") -> AppServer | None:
    """The app server of a unit; None for a unit that starts no known one. `socket` is the text of its socket unit."""
    found = [
        (name, value, f"{where}:{line}")
        for section, name, value, line in lines_of(text)
        if section == "Service"
    ]
    given = {name: (value, cause) for name, value, cause in found if value}
    command, cause = given.get("ExecStart", ("", where))
    directory = given.get("WorkingDirectory", ("/", where))[0].lstrip("-~") or "/"
    server = server_of(_PREFIX.sub("", command), directory, cause, read)
    if server is None:
        return None
    listens = tuple(
        address for section, name, value, _ in lines_of(socket)
        if section == "Socket" and name == "ListenStream" and (address := http_address(value))
    )  # fmt: skip
    options, remarks = list(server.options), list(server.remarks)
    if "User" in given and not any(one.key == ("user",) for one in options):
        user, place = given["User"]
        options.append(Option(("user",), user, place, f"User={user}"))
    for name, value, place in found:
        if said := _lost(name, value):
            remarks.append(Remark(Fate.LOST, place, said[0], said[1], said[2]))
    if _SPECIFIER.search(command + directory):
        what = "it has a specifier of systemd's (%i, %h, ...), which is not filled in"
        remarks.append(
            Remark(Fate.LOST, cause, "ExecStart", what, "name the app: portico adopt --app module:app")
        )
    return replace(server, binds=listens or server.binds, options=tuple(options), remarks=tuple(remarks))


def _lost(name: str, value: str) -> tuple[str, str, str] | None:
    """What is shown, why it is not kept, and what to do. Values of an environment may be secret."""
    unit = "portico export systemd, then set it there"
    own = "set them in [env] or env_file (docs/environment.md)"
    if name == "Environment":
        names = ", ".join(word.partition("=")[0].strip("\"'") for word in value.split())
        return f"Environment={names}", "values may be secret: none is copied", own
    if name == "EnvironmentFile":
        return (
            f"EnvironmentFile={value}",
            "Portico does not read it by itself",
            f'env_file = ["{value.lstrip("-")}"]',
        )
    if name in ("ExecStartPre", "ExecStartPost", "ExecReload"):
        why = (
            "portico reload releases new code"
            if name == "ExecReload"
            else "Portico starts the app, and nothing else"
        )
        return f"{name}={value[:60]}", why, unit if name != "ExecReload" else ""
    if name in ("LimitNOFILE", "MemoryMax", "MemoryLimit", "CPUQuota", "Nice", "TasksMax"):
        return f"{name}={value}", "it belongs to the unit, not to the site", unit
    return None
