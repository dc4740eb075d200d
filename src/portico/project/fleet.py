"""The fleet of a gateway, from its portico.toml."""

from __future__ import annotations

import os
from pathlib import Path

from portico.errors import Problem, UsageError
from portico.plan.fleet import Fleet, fleet
from portico.project.named import as_config, config_file, named_by_file, where_is
from portico.reading import doubt
from portico.site.load import load
from portico.site.options import Options
from portico.site.resolve import site_name


def gathered(config: str | None, here: str = "portico") -> tuple[Fleet, Options]:
    """`here` is Portico on this machine as words of sh. Raises UsageError, also for a file that somebody else could
    change: its commands would run on the hosts as who asks.
    """
    _, config = as_config(None, config)
    home, _ = where_is(None, config)
    file = config_file(Path(home), config)
    if file is None:
        raise UsageError(Problem(str(home), "has no portico.toml", "name that of the gateway: --config FILE"))
    if why := doubt(file, os.geteuid()):
        what = f"its commands would run on other hosts with your keys, and {why}"
        raise UsageError(Problem(str(file), what, "let nobody else change it or its directory"))
    options, _ = load(file, {})
    return fleet(options, options.name or named_by_file(config) or site_name(Path(home)), here), options
