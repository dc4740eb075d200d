"""Signals that people send by habit: none of them ends the site."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from tests.run.serve import NGINX
from tests.support.until import until

if TYPE_CHECKING:
    from tests.run.conftest import Site


def test_signals_of_app_servers_do_not_end_the_site(site: Site) -> None:
    site.start()
    error_log = site.root / "error.log"
    error_log.rename(error_log.with_suffix(".old"))
    site.send(signal.SIGUSR1)
    until(error_log.exists, "nginx opens its logs anew")
    for number in (signal.SIGUSR2, signal.SIGTTIN, signal.SIGTTOU):
        site.send(number)
        assert f"{number.name} has no meaning for Portico" in str(site.hear("Trouble"))
    assert site.get() == (200, "1")
    assert site.stop(signal.SIGQUIT) == 0
    site.assert_nothing_is_left()


LATE = """#!/bin/sh
case "$*" in *-t*) ;; *) : >late; sleep 2;; esac
exec {nginx} "$@"
"""


def test_logs_that_are_put_aside_while_nginx_starts_do_not_end_it(site: Site) -> None:
    """SIGUSR1 ends a program that has no handler for it yet; on a busy machine that takes seconds."""
    nginx, error_log = site.root / "late-nginx", site.root / "error.log"
    nginx.write_text(LATE.format(nginx=NGINX))
    nginx.chmod(0o755)
    site.begin(nginx=str(nginx))
    until((site.root / "late").exists, "nginx is to start")
    for _ in range(3):
        site.send(signal.SIGUSR1)
    site.hear("Ready")
    error_log.rename(error_log.with_suffix(".old"))
    site.send(signal.SIGUSR1)
    until(error_log.exists, "nginx opens its logs anew")
    assert site.get() == (200, "1")
    assert site.stop(signal.SIGQUIT) == 0
    assert "GatewayCrashed" not in str(site.notices)
    site.assert_nothing_is_left()
