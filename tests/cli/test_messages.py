"""What commands say, without a site that runs: names instead of directories, plurals, units, summaries."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from portico.cli import portico
from portico.cli.certificate import details
from portico.cli.command_table import COMMANDS, GROUPS
from portico.cli.notices import sentence
from portico.cli.running import runtime_of, state_of
from portico.errors import PorticoError, UsageError
from portico.log.request import Request
from portico.place import probe
from portico.protocol import notices
from portico.run.disk import lock
from portico.run.disk import remains as leavings
from portico.site.keys import keys
from portico.site.reference_page import default_of, reference_page
from portico.site.resolve import site_name, word
from portico.values import Size, counted
from portico.watch.exposition import exposition
from portico.watch.histogram import Histogram
from portico.watch.lines import milliseconds, readable
from portico.watch.log_counts import MOST_ROUTES, Metrics
from tests.watch.test_log_counts import CERTIFICATE, STATUS


def _request(**fields: Any) -> Request:
    usual = {
        "time": "2026-11-21T14:22:25+00:00",
        "id": "1",
        "client": "203.0.113.7",
        "method": "GET",
        "uri": "/",
    }
    return Request(**(usual | {"status": 200, "bytes_out": 300, "seconds": 0.01} | fields))


@pytest.fixture
def parents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Private ones for runtime and state."""
    runtime, state = tmp_path / "run", tmp_path / "state"
    monkeypatch.setenv("PORTICO_RUNTIME_DIR", str(runtime))
    monkeypatch.setenv("PORTICO_STATE_DIR", str(state))
    return runtime, state


def _hold(runtime: Path) -> Any:
    runtime.mkdir(parents=True)
    return lock.held(SimpleNamespace(runtime=str(runtime), app="app:app", urls=("http://x/",)))  # type: ignore[arg-type]


def test_no_summary_of_portico_help_is_cut_and_every_command_stands_in_a_group() -> None:
    shown = CliRunner().invoke(portico, ["--help"], terminal_width=100).output
    assert "..." not in shown.partition("Options:")[2]
    assert all(f"{title}:\n" in shown for title in GROUPS)
    assert all(re.search(rf"^  {name}  +\w", shown, re.M) for name in COMMANDS)
    assert all(len(line) <= 80 for line in shown.partition("Options:")[2].splitlines())


def test_a_share_that_no_canary_can_have_is_a_usage_error() -> None:
    error = CliRunner().invoke(portico, ["reload", "--canary", "15%"]).exception
    assert isinstance(error, UsageError)
    assert str(error) == '--canary: "15%" is not a possible share\n  expected 10%, 20%, 30%, 40% or 50%'


def test_nothing_runs_here_is_headed_by_the_site_not_by_a_directory(
    parents: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "shop").mkdir()
    error = CliRunner().invoke(portico, ["status", str(tmp_path / "shop")]).exception
    assert isinstance(error, PorticoError)
    assert str(error).startswith("shop: nothing runs here\n  start it: portico run\n")


def test_already_running_advises_stop_and_reload_not_kill(tmp_path: Path) -> None:
    runtime = tmp_path / "shop-4356b8"
    with (
        _hold(runtime),
        pytest.raises(PorticoError) as raised,
        lock.held(
            SimpleNamespace(runtime=str(runtime), app="app:app", urls=())  # type: ignore[arg-type]
        ),
    ):
        pass
    text = str(raised.value)
    assert text.startswith("shop: already running: app:app at http://x/, pid ")
    assert "portico stop --site shop" in text
    assert "portico reload --site shop" in text
    assert "kill" not in text


def test_a_service_that_systemd_runs_is_found_from_the_site_s_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PORTICO_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(probe, "SERVICES", (tmp_path / "run", tmp_path / "lib"))
    home = tmp_path / "shop"
    home.mkdir()
    key = probe.site_key(home, "shop")
    with _hold(tmp_path / "run" / "portico-shop" / key):
        assert runtime_of(str(home), None) == str(tmp_path / "run" / "portico-shop" / key)
        assert state_of(str(home), None) == str(tmp_path / "lib" / "portico-shop" / key)
    assert runtime_of(str(home), None) == str(probe.runtime_directory(home, "shop"))


def test_former_sites_are_listed_and_removed_and_running_ones_are_not(parents: tuple[Path, Path]) -> None:
    runtime, state = parents
    for name in ("old-111111", "old-111111.app", "here-222222", "open-333333", "no site"):
        (state / name).mkdir(parents=True)
    (state / "old-111111" / "certificates" / "live").mkdir(parents=True)
    (state / "old-111111" / "access.log").write_text("x" * 5000)
    (runtime / "old-111111").mkdir(parents=True)
    with _hold(runtime / "here-222222"), (state / "open-333333" / "access.log").open("w"):
        (one,) = leavings.found()
        assert (one.key, one.has_certificate) == ("old-111111", True)
        assert one.bytes >= 5000
        refused = CliRunner().invoke(portico, ["clean", "here-222222"]).exception
        assert isinstance(refused, UsageError)
        assert "there are: old-111111" in str(refused)
        done = CliRunner().invoke(portico, ["clean", "old-111111"])
        assert done.exit_code == 0, done.output
        assert leavings.found() == []
    assert sorted(path.name for path in state.iterdir()) == ["here-222222", "no site", "open-333333"]


def test_what_no_site_made_is_not_listed_whatever_its_name(parents: tuple[Path, Path]) -> None:
    """Somebody may name a directory where releases have such names, too."""
    _, state = parents
    for name in ("shop-1a2b3c", "shop-1a2b3d"):
        (state / name).mkdir(parents=True)
        (state / name / "app.py").write_text("app = None\n")
    (state / "shop-1a2b3d.app").mkdir()
    assert leavings.found() == []


def test_one_is_not_several() -> None:
    assert counted(1, "request") == "1 request"
    assert counted(1200, "request") == "1,200 requests"
    assert counted(2, "crash", "crashes") == "2 crashes"


def test_a_canary_that_gets_everything_does_not_count_the_time_since_it_began() -> None:
    assert "release 2 serves, after 8.10 s" in sentence(notices.Switched(2, 8.1))
    assert sentence(notices.Switched(2, 0.0)).count("serves") == 1
    assert "after" not in sentence(notices.Switched(2, 0.0))


def test_times_of_log_lines_have_one_unit_below_a_second_and_one_above() -> None:
    assert [milliseconds(t) for t in (0.0004, 0.179, 0.9999, 3.179, 9.999, 30.0)] == [
        "0ms", "179ms", "1.00s", "3.18s", "10.0s", "30.0s"
    ]  # fmt: skip


def test_a_line_of_another_day_has_its_day() -> None:
    assert readable(_request()).startswith("14:22:25  200")
    assert readable(_request(), is_dated=True).startswith("2026-11-21 14:22:25  200")


@pytest.mark.parametrize(
    ("fields", "has_left"),
    [
        ({"status": 499}, True),
        ({}, False),
        ({"status": 444, "bytes_out": 0}, False),
    ],
)
def test_a_client_that_hung_up_is_marked(fields: dict[str, Any], has_left: bool) -> None:
    assert readable(_request(**fields)).endswith("client left") == has_left


def test_one_request_of_eight_seconds_took_eight_seconds() -> None:
    before = Histogram()
    before.add(0.002)
    times = before.copy()
    times.add(8.0)
    assert times.since(before).quantiles(0.5, 0.95) == pytest.approx([8.0, 8.0])


@pytest.mark.parametrize(
    ("mode", "seconds", "words"),
    [
        ("auto", 300, "HSTS: insist on HTTPS for 5 min"),
        ("auto", 0, "HSTS is not sent (yet): see [https] hsts"),
        ("local", 0, "HSTS is not sent: never with mode local"),
    ],
)
def test_what_browsers_are_told_is_called_hsts(mode: str, seconds: int, words: str) -> None:
    shown = replace(CERTIFICATE, source=mode, mode=mode, hsts_seconds=seconds, not_after=time.time())
    assert f"  browsers   {words}" in details(shown)


def test_sites_in_directories_of_other_scripts_have_names_of_their_own(tmp_path: Path) -> None:
    assert word("café") == "cafe"
    names = {word(name) for name in ("магазин", "блог", "магазин-2", "店")}
    assert len(names) == 4
    assert all(re.fullmatch(r"[a-z0-9-]+-[0-9a-f]{4}", name) for name in names)
    assert word("--") == "site"


def test_a_link_called_current_names_the_site_after_the_directory_that_holds_it(tmp_path: Path) -> None:
    home = tmp_path / "shop"
    (home / "releases" / "42").mkdir(parents=True)
    (home / "current").symlink_to("releases/42")
    assert site_name(home / "current") == "shop"
    (tmp_path / "current").mkdir()
    assert site_name(tmp_path / "current") == "current", "a directory that only is called so"


def test_the_first_failure_of_a_route_is_an_increase() -> None:
    metrics = Metrics(known=["shop.item", *map(str, range(500))])
    text = exposition(metrics, STATUS)
    assert 'portico_requests_total{route="shop.item",status="5xx"} 0\n' in text
    assert 'portico_requests_total{route="(gateway)",status="5xx"} 0\n' in text
    assert text.count('status="5xx"') == MOST_ROUTES + 2
    metrics.count(b'{"status":500,"upstream":"u","worker":"1 1 1 1 shop.item"}\n')
    text = exposition(metrics, STATUS)
    assert text.count('route="shop.item",status="5xx"') == 1
    assert 'portico_requests_total{route="shop.item",status="5xx"} 1\n' in text


def test_sixteen_megabytes_are_what_the_reference_says_they_are() -> None:
    assert Size.parse("16MB") == Size.parse("16MiB") == Size.parse("16m") == 16777216
    assert "16MB is 16777216 bytes" in reference_page()


def test_the_reference_states_every_default() -> None:
    page = reference_page()
    assert "see the text" not in page
    assert all(f"Default: {default_of(key)}. Example" in page for key in keys())
    targets = set(re.findall(r"\]\(#([\w-]+)\)", page))
    heads = re.findall(r"^##+ (.*)$", page, re.M)
    anchors = {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
    assert targets <= anchors, targets - anchors
    assert os.sep not in "".join(targets)


def test_the_help_of_run_names_no_gateway_where_both_can_stand() -> None:
    said = " ".join(CliRunner().invoke(portico, ["run", "--help"]).output.split())
    assert "behind a web server (nginx, or Apache httpd)" in said
    assert "Address that the web server listens on" in said
