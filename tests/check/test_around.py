"""What the machine around a site is asked, and what is said of its domains."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path

import pytest
from msgspec.structs import replace

from portico.check.model import Setting
from portico.check.system import around
from portico.check.system.around import free_space, kernel, looked_up, own_addresses
from portico.check.system.managers import unread_findings
from portico.check.system.names import name_findings
from portico.place import cgroup
from portico.site.facts import AppFacts
from portico.site.load import load
from portico.site.model import Site
from tests.check.deployments import WELL_AROUND
from tests.support import write_files
from tests.support.until import PATIENCE_SECONDS

HERE, HERE_6, ELSEWHERE_6 = "1.1.1.7", "2606:4700::7", "2606:4700::9"
AROUND = replace(WELL_AROUND, addresses=frozenset({HERE, HERE_6, "127.0.0.1"}))


def said(
    directory: Path, text: str, found: Mapping[str, list[str]], *, is_container: bool = False
) -> list[str]:
    toml = directory / "portico.toml"
    toml.write_text(text)
    options, causes = load(toml, {})
    site = Site(
        options, AppFacts(app="shop:app", directory="/srv/shop", kind="flask"), "/srv/shop", "shop", causes
    )
    known = replace(AROUND, lookup=lambda names: {name: found[name] for name in names if name in found})
    found_of = name_findings(site, known, is_container=is_container)
    return [one.what for one in found_of if one.level != "ok"]


@pytest.mark.parametrize(
    ("text", "found", "words"),
    [
        ('domains = ["a.portico.dev"]', {"a.portico.dev": [HERE, HERE_6]}, ""),
        ('domains = ["a.portico.dev"]', {"a.portico.dev": []}, "has no address in DNS"),
        ('domains = ["a.portico.dev"]\nemail = "me@portico.dev"', {"a.portico.dev": []}, ""),
        (
            'domains = ["a.portico.dev"]',
            {"a.portico.dev": [HERE, ELSEWHERE_6]},
            f"leads to {ELSEWHERE_6} (AAAA)",
        ),
        (
            'domains = ["a.portico.dev"]\nlisten = "0.0.0.0:80"',
            {"a.portico.dev": [HERE, HERE_6]},
            "the site listens by IPv4 only",
        ),
        (
            'domains = ["portico.dev"]',
            {"portico.dev": [HERE], "www.portico.dev": [HERE]},
            "www.portico.dev leads to this machine",
        ),
        ('domains = ["portico.dev"]', {"portico.dev": [HERE], "www.portico.dev": ["9.9.9.9"]}, ""),
        ('domains = ["a.portico.dev"]\nbehind = ["cloudflare"]', {"a.portico.dev": ["9.9.9.9"]}, ""),
        ('domains = ["shop.example", "*.portico.dev", "localhost"]', {"shop.example": ["9.9.9.9"]}, ""),
        ('domains = ["a.portico.dev"]', {}, ""),
    ],
)
def test_what_dns_says_of_a_domain(
    tmp_path: Path, text: str, found: Mapping[str, list[str]], words: str
) -> None:
    got = said(tmp_path, text, found)
    assert [words in one for one in got] == [True] * bool(words), got


def test_a_container_does_not_know_its_public_address(tmp_path: Path) -> None:
    assert (
        said(tmp_path, 'domains = ["a.portico.dev"]', {"a.portico.dev": ["9.9.9.9"]}, is_container=True) == []
    )


def test_this_machine_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(around, "_LOOKUP_SECONDS", PATIENCE_SECONDS)
    found = kernel()
    assert found.clock > found.made_at > 1.6e9
    assert found.ports > 0
    assert "127.0.0.1" in own_addresses()
    assert all(map(ipaddress.ip_address, own_addresses()))
    free = free_space("/nowhere/at/all")
    assert free is not None
    assert free[0] > 0
    assert "127.0.0.1" in looked_up(["localhost"])["localhost"]
    assert looked_up(["a" * 300]) in ({}, {"a" * 300: []})


def test_the_smallest_limit_of_processes_counts(tmp_path: Path) -> None:
    write_files(
        tmp_path, {"pids.max": "max", "a/pids.max": "200", "a/pids.current": "7", "a/b/pids.max": "500"}
    )
    found = cgroup.tasks(tmp_path, "/a/b")
    assert (found.value, cgroup.tasks_now(found.source)) == (200, 7)
    assert cgroup.tasks(tmp_path, "/nothing") == cgroup.Quota(0, "")
    assert cgroup.tasks_now("") == 0


@pytest.mark.parametrize(
    ("name", "text", "hint"),
    [
        (
            "uwsgi.ini",
            "[uwsgi]\nprocesses=4\nharakiri = 60\nmodule=a",
            'workers.count = 4, request_timeout = "60s"',
        ),
        (
            "Procfile",
            "web: gunicorn -w 3 --timeout=90 app:app\n",
            'workers.count = 3, request_timeout = "90s"',
        ),
        ("Procfile", "web: gunicorn 'a\n", ""),
        ("Procfile", "worker: celery\n", ""),
        ("uwsgi.ini", "no section", ""),
    ],
)
def test_settings_of_another_server_are_named_with_the_option(
    tmp_path: Path, name: str, text: str, hint: str
) -> None:
    write_files(tmp_path, {name: text})
    found = list(unread_findings(AppFacts(app="a:b", directory=str(tmp_path)), tmp_path, ()))
    assert [one.hint for one in found] == ([f"in portico.toml: {hint}"] if hint else [])


def test_what_the_app_s_process_says_writes_sizes_alone(tmp_path: Path) -> None:
    """Whoever has broken into the app says what stands in gunicorn.conf.py."""
    note = (
        'gunicorn.conf.py is not used; in portico.toml say workers.count = 4, request_timeout = "60s", '
        'nginx.server = "access_log /etc/cron.d/x combined;", nginx = "/srv/evil", behind = "0.0.0.0/0"'
    )
    facts = AppFacts(app="a:b", directory=str(tmp_path), notes=[note])
    (found,) = unread_findings(facts, tmp_path, ())
    keys = [fix.key for fix in found.fixes if isinstance(fix, Setting)]
    assert keys == [("workers", "count"), ("request_timeout",)]
