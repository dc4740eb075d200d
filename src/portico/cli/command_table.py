"""Every command: its line in `portico --help`, its group there, and where its file is.

The file of a command is in the folder of its group: `cli/commands/release/reload.py`.
"""

from __future__ import annotations

from typing import Final

GROUPS: Final = {
    "Run": {
        "run": "Serve an app behind nginx or Apache httpd, in the foreground.",
        "exec": "Run a command in the app's directory, with its variables and its user.",
        "stop": "Finish the requests in progress, then stop.",
        "check": "Look for what would break: app, gateway, ports, paths, limits.",
        "export": "Write the site as files for containers, systemd or a web server.",
    },
    "Release": {
        "reload": "Release new code and configuration without losing a request.",
        "rollback": "Switch back to the previous release.",
        "scale": "Change the number of workers.",
        "pause": "Let requests wait for a moment.",
        "resume": "End a pause.",
        "maintenance": "Show a maintenance page, or open the site again.",
        "drain": "Send no new requests to one of several servers.",
        "fleet": "Release to several hosts behind a gateway, one after the other.",
    },
    "Look": {
        "status": "Show what runs: processes, memory, requests, queue.",
        "logs": "Show the requests, each with what the app wrote.",
        "top": "Show rates, times, slowest routes and errors live.",
        "dashboard": "Show the same in a browser.",
        "metrics": "Print the metrics in Prometheus' format.",
        "limits": "Show what the limits refused, limit by limit.",
        "waf": "Show what the firewall found, rule by rule.",
        "trace": "Send one request and show each step it takes.",
    },
    "Understand": {
        "plan": "Show processes, files and reasons, without starting anything.",
        "explain": "Say why a line is there, or what any nginx or Apache file means.",
        "adopt": "Make a portico.toml from a configuration of nginx or Apache.",
        "learn": "Learn how a request is answered, with questions about your own app.",
        "bench": "Measure the app under load, beside other servers or older code.",
        "tune": "Measure which settings serve the app better here, and propose them.",
        "what-if": "Compare a request before and after a line is changed.",
        "options": "List every option and its default.",
    },
    "Keep": {
        "cert": "Show, renew or trust the certificate.",
        "password": "Hash a password for a file of users.",
        "purge": "Delete answers from the gateway's cache.",
        "completion": "Print the script that completes commands and options in a shell.",
        "clean": "List what former sites left on the disk, and remove it.",
    },
}
"""Every command with its line in `portico --help`, which imports none of them."""
COMMANDS: Final = tuple(name for group in GROUPS.values() for name in group)
_GROUP_OF: Final = {name: group for group, commands in GROUPS.items() for name in commands}


def module(name: str) -> str:
    """The module of a command; its attribute `command` is the command."""
    return f"portico.cli.commands.{_GROUP_OF[name].lower()}.{name.replace('-', '_')}"
