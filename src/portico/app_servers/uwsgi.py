"""uWSGI."""

from __future__ import annotations

from portico.app_servers.kind import AppServer, Feature

_BANNER = "|".join(
    (
        r"\[uWSGI\] getting INI",
        r"uwsgi socket \d+ inherited",
        r"\*\*\* (Starting uWSGI|Operational MODE:|WARNING: you are running uWSGI as root) ",
        r" \*\*\* WARNING: you have enabled harakiri without post buffering",
        r"(compiled with version|os|nodename|machine|clock source|lock engine|thunder lock|Python version): ",
        r"(current working directory|detected (binary path|number of CPU cores|max file descriptor number)): ",
        r"your (processes number|memory page|server socket|mercy for) ",
        r"uWSGI running as root, you can|pcre jit|--- Python VM already|Python main interpreter|python threads",
        r"mapped \d+ bytes|spawned uWSGI (master process|worker)|running \"unix_signal:15 ",
        r"mounting \S+ on /|WSGI app \d+ \(mountpoint=",
        r".* - graceful shutdown triggered\.\.\.$|goodbye to uWSGI\.$",
    )
)
"""The start of lines about itself that uWSGI 2 prints at its start and end; no option turns them off."""

UWSGI = AppServer(
    "uwsgi",
    title="uWSGI",
    package="pyuwsgi",
    extra="uwsgi",
    prefix="UWSGI_",  # it takes every option from such a variable
    protocol="uwsgi",
    features=frozenset({Feature.WSGI, Feature.AHEAD}),
    cannot_load=frozenset({22}),
    banner=_BANNER,
)
