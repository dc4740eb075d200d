"""The OWASP Core Rule Set from a distribution's package."""

from __future__ import annotations

import re
from pathlib import Path

from portico.place.model import RuleSet

_PLACES = (
    ("/etc/modsecurity/crs/crs-setup.conf", "/usr/share/modsecurity-crs/rules"),
    ("/usr/share/modsecurity-crs/crs-setup.conf", "/usr/share/modsecurity-crs/rules"),
    ("/etc/crs/crs-setup.conf", "/etc/crs/rules"),
    ("/usr/local/share/coreruleset/crs-setup.conf", "/usr/local/share/coreruleset/rules"),
)
"""The paths of Debian and Ubuntu, of others, and of its manual."""
_UNICODE = (
    "/etc/nginx/unicode.mapping",
    "/usr/share/nginx/docs/modsecurity/unicode.mapping",
    "/etc/modsecurity/unicode.mapping",
)
_NUMBER = re.compile(r"crs_setup_version=(\d)(\d)(\d+)")


def rule_set() -> RuleSet | None:
    """The first complete one, else None."""
    for setup, rules in _PLACES:
        try:
            number = _NUMBER.search(Path(setup).read_text("utf-8", "replace"))
            is_whole = any(Path(rules).glob("REQUEST-9*.conf"))
        except OSError:
            continue
        if number and is_whole:
            unicode = next((path for path in _UNICODE if Path(path).is_file()), "")
            return RuleSet(".".join(map(str, map(int, number.groups()))), setup, rules, unicode)
    return None
