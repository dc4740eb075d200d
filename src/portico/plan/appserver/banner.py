"""What an app server says of itself when it starts, as regular expressions for the beginnings of the lines."""

from __future__ import annotations

UWSGI = "|".join(
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
"""How the lines begin in which uWSGI 2 describes itself and its leaving; it has no option against them."""
