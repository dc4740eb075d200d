"""`portico export apache`: the installed Apache httpd, without Portico."""

from __future__ import annotations

from portico.cli.export.eject import eject_command

command = eject_command("apache", "Apache httpd", {"gateway": "apache"})
