"""`portico export nginx`: the installed nginx, without Portico."""

from __future__ import annotations

from portico.cli.export.eject import eject_command

command = eject_command("nginx", "nginx", {"gateway": "nginx", "nginx": "system"})
