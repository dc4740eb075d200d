"""A reload loses nothing, whether the new release is good or not."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.support.until import until

if TYPE_CHECKING:
    from tests.run.conftest import Site
    from tests.support.clients import Clients


def test_new_release_under_load_loses_nothing(site: Site, clients: Callable[..., Clients]) -> None:
    site.start(release="r0", workers=2)
    with clients() as load:
        for turn in range(1, 6):
            until(lambda turn=turn: f"r{turn - 1}" in load.answers)  # type: ignore[misc]
            site.wish(release=f"r{turn}")
            site.reload()
            site.hear("Switched")
            site.hear("ReleaseLeft")
        until(lambda: "r5" in load.answers)
    assert load.failed == []
    assert set(load.answers) == {f"r{turn}" for turn in range(6)}
    assert site.get() == (200, "r5")
    posts = (site.app / "posts.log").read_text().split()
    assert sorted(posts) == sorted(one.key for one in load.good if one.what.startswith("POST")), (
        "each POST was executed once"
    )


def test_broken_release_under_load_is_dropped(site: Site, clients: Callable[..., Clients]) -> None:
    site.start(release="good", workers=2)
    until(lambda: site.all_booted(2), "the second must not load what is broken below")
    app = site.app / "app.py"
    good = app.read_text()
    with clients() as load:
        app.write_text("import no_such_module\n")
        site.reload()
        assert site.hear("ReleaseDropped")["code"] in (3, 4)
        app.write_text(good)
        site.wish(refuse="unknown key")
        site.reload()
        assert "unknown key" in str(site.hear("ReleaseDropped")["problems"])
        site.wish(extra="no_such_directive;")
        site.reload()
        assert "unknown directive" in str(site.hear("ReleaseDropped")["problems"])
        site.wish(release="next")
        site.reload()
        site.hear("Switched")
    assert load.failed == []
    assert site.get() == (200, "next")


def test_nginx_reads_its_files_again_only_when_they_changed(
    site: Site, clients: Callable[..., Clients]
) -> None:
    site.start(mark="before", workers=2)
    master = site.gateway()
    first = site.workers(master)
    site.wish(release="2", mark="before")
    site.reload()
    site.hear("Switched")
    assert site.workers(master) == first
    with clients() as load:
        for mark in ("b", "c", "d"):
            site.wish(release="3", mark=mark)
            site.reload()
            site.hear("Switched")
            time.sleep(0.3)
    assert load.failed == []
    assert site.gateway() == master
    assert site.workers(master) != first


def test_a_release_gets_the_time_of_its_own_plan(site: Site) -> None:
    """Told to give it a longer `start_timeout`, people did, and the time of the first plan ran out again."""
    site.start(release="old")
    app = site.app / "app.py"
    app.write_text(f"import time\ntime.sleep(3)\n{app.read_text()}")
    site.wish(release="slow", start=0.5)
    site.reload()
    assert "did not become healthy within 0.5 s" in str(site.hear("ReleaseDropped")["problems"])
    site.wish(release="slow")
    site.reload()
    site.hear("Switched")
    assert site.get() == (200, "slow")


def test_request_in_flight_survives_the_switch(site: Site) -> None:
    site.start(release="old")
    answer = site.begin_slow(3)
    site.wish(release="new")
    site.reload()
    site.hear("Switched")
    assert site.get() == (200, "new")
    assert answer() == (200, "old")


def test_old_releases_leave_no_trace(site: Site) -> None:
    site.start()
    for _ in range(3):
        site.reload()
        site.hear("ReleaseLeft")
    names = sorted(path.name for path in site.runtime.iterdir())
    assert [name for name in names if name.startswith("app")] == [
        *("app-4.sock", "app-4.sock.keep", "app.1.sock", "app.2.sock", "app.3.sock", "app.sock"),
        "app.sock.live",
    ]
    assert [name for name in names if name.startswith("conf-")] == ["conf-4"]
    assert site.stop(signal.SIGINT) == 130
