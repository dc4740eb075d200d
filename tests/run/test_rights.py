"""Started as root: what the app's user and nginx's user put in the way, and what becomes of root's rights."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.support import (
    Served,
    environment,
    free_port,
    private_directory,
    start,
    until_ready,
    walk,
    write_files,
)
from tests.support import end as stop
from tests.support.until import until
from tests.users import ONLY_ROOT, USER, as_user, paths, places, python

pytestmark = [ONLY_ROOT, pytest.mark.timeout(500)]

IDLE_SECONDS = 200
"""Copies are made with what nobody else needs of the processors; the tests beside this one may need all of it."""
SECRET = "root's own words\n"
APP = """
from flask import Flask

app = Flask(__name__)


@app.get("/news")
def news():
    return "news", 200, {"Cache-Control": "public, max-age=600"}
"""
ELSEWHERE = 'app.static_folder, app.static_url_path = {folder!r}, "/static"\n'


def owned(path: Path, user: str = USER) -> None:
    for each in (path, *path.rglob("*")):
        if not each.is_symlink():
            shutil.chown(each, user, pwd.getpwnam(user).pw_gid)


def made(home: Path, toml: str = "", app: str = APP) -> Path:
    """A site of `games` in `home`, and a file of root's beside it."""
    (home / "secret").write_text(SECRET)
    (home / "secret").chmod(0o600)
    site = home / "shop"
    write_files(site, {"app.py": app, "static/app.css": "a { color: red }\n" * 200, "portico.toml": toml})
    owned(site)
    return site


def said(site: Path, *words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    home = site.parent
    done = subprocess.run(
        [python(), "-m", "portico", *words], cwd=cwd or site, env=environment(home) | paths(home),
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done


# What is configured ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["run", "check", "plan"])
def test_options_that_reach_further_than_the_app_s_user_are_root_s_to_set(command: str) -> None:
    with private_directory() as home:
        marker, evil = home / "marker", home / "shop/evil"
        toml = (
            f'[nginx]\nbinary = "{evil}"\nhttp = ["error_log {home}/written;"]\n'
            'server = ["# mine"]\n[https]\nmode = "off"\n[upstream]\nservers = ["app", "unix:/run/other.sock"]\n'
        )
        site = made(home, toml)
        evil.write_text(f"#!/bin/sh\ntouch {marker}\necho 'nginx version: nginx/1.31.3' >&2\n")
        evil.chmod(0o755)
        done = said(site, command)
        assert done.returncode == 2, done.stdout + done.stderr
        for key in ("nginx.binary", "nginx.http", "nginx.server", "upstream.servers"):
            assert f"{key}: " in done.stderr
        assert "portico.toml:2" in done.stderr
        assert f"belongs to user '{USER}'" in done.stderr
        assert "set it on the command line: --nginx" in done.stderr
        assert "--config /etc/portico/" in done.stderr
        assert not marker.exists()
        assert not (home / "written").exists()


@pytest.mark.parametrize(
    "to", ["unix:/run/other.sock", "uwsgi://unix:/run/other.sock", "fastcgi://unix:/run/o.sock"]
)
def test_a_rule_or_a_mirror_to_a_socket_is_root_s_to_set(to: str) -> None:
    with private_directory() as home:
        site = made(home, f'app = "app:app"\n\n[[route]]\npath = "/x/"\nto = "{to}"\n')
        done = said(site, "plan")
        assert done.returncode == 2
        assert "portico.toml:5: route.1.to: the gateway's user may talk to sockets" in done.stderr
        site = made(home, '[mirror]\nto = "unix:/run/other.sock"\nshare = "1%"\n')
        assert "mirror.to: the gateway's user may talk to sockets" in said(site, "plan").stderr


def test_user_in_a_file_of_the_app_s_user_names_nobody_else() -> None:
    with private_directory() as home:
        for name in ("root", "news"):
            refused = said(made(home, f'user = "{name}"\n'), "check")
            assert refused.returncode == 2
            assert f'user: "{name}" counts only if root alone can change' in refused.stderr
        assert said(made(home, f'user = "{USER}"\nworkers = 1\n'), "plan").returncode == 0


def test_the_same_options_count_in_a_file_of_root_s_but_not_what_others_may_swap() -> None:
    with private_directory() as home:
        site = made(home)
        config = home / "etc" / "shop.toml"
        write_files(home, {"etc/shop.toml": '[nginx]\nhttp = ["# words of the admin"]\n'})
        good = said(site, "plan", "--config", str(config), str(site))
        assert good.returncode == 0, good.stderr
        config.write_text('[nginx]\nhttp = ["own.conf"]\n')
        write_files(site, {"own.conf": "# mine\n"})
        refused = said(site, "plan", "--config", str(config), str(site))
        assert refused.returncode == 2
        assert "own.conf" in refused.stderr
        assert "counts only if root alone can change" in refused.stderr
        config.chmod(0o666)
        assert (
            "others than root may write to" in said(site, "plan", "--config", str(config), str(site)).stderr
        )


def test_what_own_directives_name_is_readable_for_nginx_and_no_trap_for_root() -> None:
    with private_directory() as home:
        site, config = made(home), home / "etc" / "shop.toml"
        write_files(site, {"htpasswd": "ann:x\n", "trap.pem": "x"})
        (site / "htpasswd").chmod(0o600)
        text = '[nginx]\nserver = [\n  "auth_basic_user_file htpasswd;",\n  {}]\n'
        write_files(home, {"etc/shop.toml": text.format("")})
        done = said(site, "plan", "--config", str(config), str(site))
        assert done.returncode == 2
        assert "shop.toml:3: auth_basic_user_file: nginx (user www-data) cannot read" in done.stderr
        assert f"chgrp www-data {site}/htpasswd; chmod 640 {site}/htpasswd" in done.stderr
        (site / "htpasswd").chmod(0o644)
        assert said(site, "plan", "--config", str(config), str(site)).returncode == 0
        for trap in ('"ssl_dhparam trap.pem;"', '"access_log logs.txt;"', '"include trap.pem;"'):
            config.write_text(text.format(trap))
            done = said(site, "plan", "--config", str(config), str(site))
            assert done.returncode == 2, trap
            assert "shop.toml:4: " in done.stderr
            assert "counts only if root alone can change" in done.stderr


def test_files_that_its_configuration_names_are_read_as_the_app_s_user() -> None:
    with private_directory() as home:
        toml = (
            'errors = "errors"\n[dashboard]\nlisten = "127.0.0.1:9146"\npassword_file = "password"\n'
            f'[tracing]\nendpoint = "none"\nheaders_file = "{home}/secret"\n'
            f'[upstream]\nservers = ["app"]\nca = "{home}/secret"\n'
        )
        site = made(home, toml)
        (site / "errors").mkdir()
        for name in ("errors/404.html", "password"):
            (site / name).symlink_to(home / "secret")
        done = said(site, "check")
        assert done.returncode == 2, done.stdout
        assert SECRET.strip() not in done.stdout + done.stderr
        for name in (f"{site}/errors/404.html", f"{site}/password", f"{home}/secret"):
            assert f"\"{name}\" cannot be read as user '{USER}'" in done.stderr
        assert "upstream.ca" in done.stderr


def test_key_that_the_app_s_user_may_not_read_is_no_key_of_its_site() -> None:
    with private_directory() as home:
        toml = f'[https]\ncert = "{home}/secret"\nkey = "{home}/secret"\n'
        done = said(made(home, toml), "check")
        assert f"cannot be read as user '{USER}'" in done.stdout + done.stderr
        assert done.returncode != 0


def test_sites_on_one_gateway_are_judged_each() -> None:
    with private_directory() as home:
        marker = home / "marker"
        site = made(home, '[nginx]\nbinary = "/evil"\nhttp = ["error_log /written;"]\n')
        text = (site / "portico.toml").read_text().replace("/evil", f"{site}/evil")
        (site / "portico.toml").write_text(text)
        (site / "evil").write_text(f"#!/bin/sh\ntouch {marker}\n")
        (site / "evil").chmod(0o755)
        write_files(home, {"blog/app.py": APP, "blog/portico.toml": 'domains = ["blog.example"]\n'})
        owned(home / "blog", "news")
        done = said(site, "check", str(site), str(home / "blog"))
        assert done.returncode == 1, done.stderr
        assert "nginx.binary: root runs that program" in done.stdout
        assert "nginx.http: nginx's master" in done.stdout
        assert not marker.exists()


def test_app_of_nginx_s_own_user_is_refused() -> None:
    with private_directory() as home:
        site = made(home)
        owned(site, "www-data")
        done = said(site, "check")
        assert done.returncode == 2
        assert "the app and nginx's workers run as 'www-data', both" in done.stderr
        assert "useradd --system" in done.stderr


# What is served, and what lies in the way --------------------------------------------------------------------


@pytest.fixture(scope="module", params=["embedded", "system"])
def shop(request: pytest.FixtureRequest) -> Iterator[Served]:
    with private_directory() as home:
        site = made(home)
        run = start(site, "--nginx", request.param, python=python(), env=paths(home))
        try:
            until_ready(run)
            yield run
        finally:
            stop(run)


def as_nginx(*words: str) -> subprocess.CompletedProcess[str]:
    entry = pwd.getpwnam("www-data")
    return subprocess.run(
        words, user=entry.pw_uid, group=entry.pw_gid, extra_groups=[], capture_output=True, check=False,
        text=True,
    )  # fmt: skip


def test_nginx_s_user_is_given_nothing_by_a_test_or_a_reload(shop: Served) -> None:
    runtime, state = places(shop)
    home = shop.directory.parent
    victim = home / "etc-of-root"
    victim.mkdir()
    for name in ("client_body", "uwsgi", "proxy"):
        path = state / "bodies" / name
        as_nginx("mv", str(path), f"{path}.away")
        as_nginx("rmdir", str(path))
        as_nginx("ln", "-s", str(victim), str(path))
        assert not path.is_symlink(), f"nginx's user replaced {path}"
    for name in ("cache", "bodies", "static", "access.log"):
        as_nginx("mv", str(state / name), str(state / f"{name}.away"))
        assert (state / name).exists()
    master = shop.master()
    words = ["-t", "-p", str(runtime), "-c", str(runtime / "conf/nginx.conf"), "-e", str(state / "error.log")]
    tested = subprocess.run([master.exe(), *words], cwd=runtime, capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stderr
    before = {process.pid for process in shop.called("nginx: worker")}
    master.send_signal(signal.SIGHUP)
    until(lambda: bool({one.pid for one in shop.called("nginx: worker")} - before), "new workers of nginx")
    assert victim.owner() == "root"
    assert (state / "bodies").owner() == "root"
    assert not (state / "bodies").stat().st_mode & 0o022


def test_a_purge_follows_no_link_and_waits_for_no_fifo(shop: Served) -> None:
    _, state = places(shop)
    home = shop.directory.parent
    asked = {"Cache-Status": "?1"}
    until(lambda: shop.get("/news", headers=asked).headers["Cache-Status"].endswith("hit"), "a kept answer")
    (kept,) = [path for path in (state / "cache").rglob("*") if path.is_file()]
    victims = home / "victims"
    victims.mkdir()
    name = "f" * 32
    shutil.copy(kept, victims / name)
    before = (victims / name).read_bytes()
    entry = pwd.getpwnam("www-data")
    folders = [f"{number:02x}" for number in range(256) if f"{number:02x}" != kept.parent.name][:4]
    as_nginx("ln", "-s", str(victims), str(state / "cache" / folders[0]))
    as_nginx("mkdir", str(state / "cache" / folders[1]))
    as_nginx("mkfifo", str(state / "cache" / folders[1] / ("a" * 32)))
    as_nginx("ln", "-s", str(victims / name), str(state / "cache" / folders[1] / ("b" * 32)))
    os.link(victims / name, state / "cache" / folders[1] / ("c" * 32))  # where the kernel lets anybody link
    as_nginx("ln", "-s", str(home / "secret"), f"{kept}.gone")
    done = said(shop.directory, "purge", "/*")
    assert done.returncode == 0, done.stderr
    assert (victims / name).read_bytes() == before
    assert (home / "secret").read_text() == SECRET
    assert sorted(path.name for path in victims.iterdir()) == [name]
    assert shop.get("/news", headers=asked).headers["Cache-Status"].endswith("fwd=uri-miss")
    assert (state / "cache").stat().st_uid == entry.pw_uid


def test_copies_are_taken_away_behind_no_link(shop: Served) -> None:
    _, state = places(shop)
    home, css = shop.directory.parent, shop.directory / "static/app.css"

    def copies(name: str) -> list[Path]:
        return [path for path, _ in walk(state / "static") if path.name == name and "gzip" in path.parts]

    until(lambda: bool(copies("app.css")), "the copy", IDLE_SECONDS)
    (copy,) = copies("app.css")
    victims = home / "styles"
    victims.mkdir()
    (victims / "app.css").write_text(SECRET)
    numbers = count()

    def is_a_link() -> bool:
        """The directory comes back when copies are made at this moment."""
        as_nginx("mv", str(copy.parent), f"{copy.parent}.away-{next(numbers)}")
        as_nginx("ln", "-sT", str(victims), str(copy.parent))
        return copy.parent.is_symlink()

    until(is_a_link, "nginx's user puts a link in its place")
    css.write_text("a { color: blue }\n" * 200)
    write_files(shop.directory, {"static/more/later.css": "later " * 1000})
    until(
        lambda: bool(copies("later.css")) or "could not be compressed" in shop.stderr(),
        "a later look",
        IDLE_SECONDS,
    )
    assert (victims / "app.css").read_text() == SECRET


def test_a_static_folder_that_becomes_a_link_leads_nowhere(shop: Served) -> None:
    _, state = places(shop)
    static = shop.directory / "static"
    assert shop.get("/news").status_code == 200
    until(lambda: (state / "access.log").stat().st_size > 0, "a log line")
    assert as_user("mv", str(static), f"{static}.away").returncode == 0
    try:
        assert as_user("ln", "-s", str(state), str(static)).returncode == 0
        answer = shop.get("/static/access.log")
        assert answer.status_code == 404, answer.text[:200]
    finally:
        as_user("rm", str(static))
        as_user("mv", f"{static}.away", str(static))
    assert shop.get("/static/app.css").status_code == 200


def test_folders_that_the_app_s_user_may_not_read_are_not_served() -> None:
    """Another site's state directory; and one where nginx's group, but not the app's user, can read the files."""
    with private_directory() as home:
        logs = home / "logs"
        logs.mkdir()
        for folder, name in ((home / "state", "access.log"), (logs, "access.log")):
            other = folder / "blog" if folder != logs else folder
            write_files(other, {name: SECRET, "favicon.ico": SECRET})
            for path in other.iterdir():
                path.chmod(0o640)
                shutil.chown(path, "root", "www-data")
        for folder in (home / "state" / "blog", logs):
            site = made(home, toml=f'[static]\n"/pub/" = "{folder}"\n')
            refused = said(site, "check")
            assert refused.returncode == 2
            assert f"nginx does not serve {folder}" in refused.stderr
            shutil.rmtree(site)
            site = made(home, app=APP + ELSEWHERE.format(folder=str(folder)))
            run = start(site, python=python(), env=paths(home), port=free_port())
            try:
                until_ready(run)
                for url in ("/static/access.log", "/favicon.ico"):
                    assert SECRET not in run.get(url).text
            finally:
                stop(run)
            shutil.rmtree(site)
