"""Signals that people send by habit: none of them ends the site."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

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
