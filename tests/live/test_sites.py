"""Several sites on one gateway, as a user starts them: told apart by Host, and none takes another down."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support import Served, end, portico, private_directory, start, until_ready, write_files
from tests.support.clients import Asked, Clients
from tests.support.until import until

PATIENCE_SECONDS = 90.0
APP = """
from flask import Flask

app = Flask(__name__)

@app.get("/")
def index():
    return "{name}"
"""
GUARDED = """
from flask import Flask, abort, request

app = Flask(__name__)

@app.get("/")
@app.get("/private")
def index():
    return "shop"

@app.get("/checks/session")
def check_session():
    if "user" not in request.cookies:
        abort(401)
    return "", 204
"""
BROKEN = "import nothing_of_that_name"


def site(name: str, app: str = "", *domains: str) -> dict[str, str]:
    """The files of a site in a directory of its own."""
    listed = json.dumps([*(domains or [f"{name}.example"])])
    return {
        f"sites/{name}/app.py": app or APP.format(name=name),
        f"sites/{name}/portico.toml": f"domains = {listed}\n",
    }


@dataclass
class Gateway:
    """A running `portico run sites`."""

    run: Served

    @property
    def home(self) -> Path:
        return self.run.directory

    def get(self, host: str, path: str = "/", **headers: str) -> tuple[int, str]:
        """Status 0 when the connection was closed without a word."""
        connection = http.client.HTTPConnection("127.0.0.1", self.run.port, timeout=60)
        try:
            connection.request("GET", path, headers={"Host": host} | headers)
            response = connection.getresponse()
            return response.status, response.read().decode()
        except (http.client.HTTPException, OSError):
            return 0, ""
        finally:
            connection.close()

    def says(self, *words: str) -> tuple[int, str]:
        """What a command says, and its exit code."""
        done = portico(*words, cwd=self.home)
        return done.returncode, done.stdout + done.stderr

    def sites(self) -> dict[str, dict[str, Any]]:
        done = portico("status", "sites", "--json", cwd=self.home)
        assert done.returncode == 0, done.stderr
        return {one["name"]: one for one in json.loads(done.stdout)["sites"]}

    def eventually(self, is_so: Callable[[], bool]) -> None:
        until(is_so, lambda: f"{self.sites()}\n{self.run.stderr()[-3000:]}")

    def refuses(self, host: str) -> bool:
        """Whether no site has this Host. httpd cannot close a connection without an answer."""
        status, page = self.get(host)
        return status == 421 if self.run.is_apache else (status, page) == (0, "")

    def lost(self, clients: Clients) -> list[Asked]:
        """What others lost while one site changed. httpd closes connections that are kept and idle when it reads its
        files (docs/apache.md)."""
        return [
            one for one in clients.failed
            if not (self.run.is_apache and one.is_kept and not one.is_first and one.status == 0)
        ]  # fmt: skip

    def serves(self, name: str) -> None:
        """Wait until it does."""
        self.eventually(lambda: self.get(f"{name}.example") == (200, name))


@pytest.fixture(scope="module", params=["nginx", "apache"])
def gateway(request: pytest.FixtureRequest) -> Iterator[Gateway]:
    """Sites that each test has for itself, and `shop`, which nobody touches."""
    with private_directory() as home:
        for name in ("killed", "moved", "stopped"):
            write_files(home, site(name))
        shop = site("shop", GUARDED)
        if request.param == "nginx":
            shop["sites/shop/portico.toml"] += '[access."/private"]\nauth = "check_session"\n'
        write_files(home, shop)
        write_files(home, site("broken", BROKEN))
        run = start(home, "sites", "--workers", "1", "--gateway", request.param)
        try:
            until_ready(run, 90)
            yield Gateway(run)
        finally:
            end(run)


def test_sites_are_told_apart_by_host(gateway: Gateway) -> None:
    gateway.serves("shop")
    assert gateway.get("shop.example") == (200, "shop")
    assert gateway.refuses("nobody.example")
    for host in ("shop.example", "nobody.example"):  # the gateway itself is there
        status, word = gateway.get(host, "/-/health")
        assert (status, word.strip()) == (200, "ok")


@pytest.mark.parametrize("gateway", ["nginx"], indirect=True)
def test_a_view_of_a_site_decides_who_may_come_there(gateway: Gateway) -> None:
    """It is named by its endpoint, which the gateway does not know before the app was asked."""
    gateway.serves("shop")
    assert gateway.get("shop.example", "/private")[0] == 401
    assert gateway.get("shop.example", "/private", Cookie="user=anna") == (200, "shop")


def test_a_request_is_traced_at_the_site_itself_whoever_resolves_its_name(gateway: Gateway) -> None:
    gateway.serves("shop")
    done = portico("trace", "/", "--site", "shop", "--json", cwd=gateway.home)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["status"] == 200
    assert "chooses server shop.example" in [row["action"] for row in told["rows"]]
    assert any(row["place"] and "sites/shop/site.conf" in json.dumps(row["place"]) for row in told["rows"])
    assert told["line"]["id"] == told["id"]
    assert any(row["actor"] == "app" for row in told["rows"]), "the worker was there, too"
    code, words = gateway.says("what-if", "gzip off", "--site", "shop")
    assert code == 2
    assert "several sites share this gateway" in words


def test_a_site_that_cannot_be_imported_takes_nobody_along(gateway: Gateway) -> None:
    with Clients(gateway.run.port, host="shop.example") as shop:
        (broken,) = until(  # it is tried again and again
            lambda: [one for one in [gateway.sites()["broken"]] if one["status"] == "down"],
            gateway.run.stderr,
        )
        assert broken["code"] == 4
        assert "No module named 'nothing_of_that_name'" in broken["reason"]
        assert "nothing_of_that_name" in gateway.run.stderr()
        status, page = gateway.get("broken.example")
        assert status in (502, 503)
        assert "<title>" in page
        code, words = gateway.says("reload", "--site", "broken")
        assert code == 4, words
        assert "No module named 'nothing_of_that_name'" in words
        write_files(gateway.home, site("broken"))
        code, words = gateway.says("reload", "--site", "broken")
        assert code == 0, words
        assert gateway.get("broken.example") == (200, "broken")
    assert not gateway.lost(shop)
    assert shop.good


def test_a_supervisor_that_is_killed_is_started_again_and_the_others_lose_nothing(gateway: Gateway) -> None:
    gateway.serves("killed")
    with Clients(gateway.run.port, host="shop.example") as shop:
        os.kill(before := gateway.sites()["killed"]["pid"], signal.SIGKILL)
        gateway.eventually(lambda: gateway.sites()["killed"]["pid"] not in (None, before))
        gateway.eventually(lambda: gateway.sites()["killed"]["status"] == "serving")
        assert gateway.get("killed.example") == (200, "killed")
    assert not gateway.lost(shop)


def test_a_site_changes_its_domains_alone_and_cannot_take_anothers(gateway: Gateway) -> None:
    gateway.serves("moved")
    others = {name: one["pid"] for name, one in gateway.sites().items() if name in ("shop", "moved")}
    with Clients(gateway.run.port, host="shop.example") as shop:
        write_files(gateway.home, site("moved", "", "moved.example", "shop.example"))
        code, words = gateway.says("reload", "--site", "moved")
        assert code == 1, words
        assert 'sites/moved: answers "shop.example"' in words
        assert "and so does " in words
        assert "/sites/shop" in words
        assert gateway.get("moved.example") == (200, "moved")
        write_files(gateway.home, site("moved", "", "elsewhere.example"))
        code, words = gateway.says("reload", "sites/moved")
        assert code == 0, words
        assert [gateway.get("elsewhere.example") for _ in range(20)] == [(200, "moved")] * 20, (
            "when it is said"
        )
        assert gateway.refuses("moved.example")
        bad, said = "nginx.server = ['no_such_thing on;']", 'unknown directive "no_such_thing"'
        if gateway.run.is_apache:
            bad, said = "apache.server = ['NoSuchThing on']", "Invalid command 'NoSuchThing'"
        write_files(gateway.home, {"sites/moved/portico.toml": f'domains = ["elsewhere.example"]\n{bad}\n'})
        code, words = gateway.says("reload", "--site", "moved")
        assert code == 1, words
        assert said in words
        assert gateway.get("elsewhere.example") == (200, "moved")
    assert not gateway.lost(shop)
    assert {name: gateway.sites()[name]["pid"] for name in others} == others


def test_a_site_that_is_stopped_shows_its_page_and_starts_again(gateway: Gateway) -> None:
    gateway.serves("stopped")
    code, words = gateway.says("stop", "--site", "stopped")
    assert code == 0, words
    gateway.eventually(lambda: gateway.sites()["stopped"]["status"] == "stopped")
    status, page = gateway.get("stopped.example")
    assert (status, "<title>" in page) == (502, True)
    assert gateway.says("reload", "--site", "stopped")[0] == 0
    assert gateway.get("stopped.example") == (200, "stopped")


def test_a_site_that_is_refused_answers_for_itself_and_stopping_it_stops_nobody_else(
    gateway: Gateway,
) -> None:
    gateway.serves("shop")
    write_files(gateway.home, {"sites/refused.toml": "domains = 7\n"})
    assert gateway.says("reload", "sites")[0] != 0
    for words in (["--site", "refused"], ["sites/refused.toml"]):
        code, told = gateway.says("status", *words)
        assert (code, "refused for" in told, "sites/refused.toml:1" in told) == (3, True, True), told
        code, told = gateway.says("pause", *words)
        assert (code, "refused is refused" in told, "sites/refused.toml:1" in told) == (1, True, True), told
        assert gateway.says("reload", *words)[0] == 1
        assert gateway.says("stop", *words) == (0, "refused is refused\n")
    assert gateway.get("shop.example") == (200, "shop")
    (gateway.home / "sites/refused.toml").unlink()
    gateway.says("reload", "sites")
    assert "refused" not in gateway.sites()


def test_a_site_that_is_tried_again_and_again_can_be_stopped(gateway: Gateway) -> None:
    write_files(gateway.home, site("hopeless", BROKEN))
    gateway.says("reload", "sites")
    gateway.eventually(lambda: gateway.sites()["hopeless"]["failures"] > 0)
    assert gateway.says("stop", "--site", "hopeless") == (0, "hopeless is stopped\n")
    one = gateway.sites()["hopeless"]
    assert (one["status"], one["retry_seconds"], one["reason"]) == ("stopped", None, "")
    write_files(gateway.home, site("hopeless"))
    assert gateway.says("reload", "--site", "hopeless")[0] == 0
    assert gateway.get("hopeless.example") == (200, "hopeless")


def test_maintenance_and_status_are_a_sites_own(gateway: Gateway) -> None:
    gateway.serves("shop")
    gateway.serves("killed")
    assert gateway.says("maintenance", "on", "--site", "killed")[0] == 0
    assert gateway.get("killed.example")[0] == 503
    assert gateway.get("shop.example") == (200, "shop")
    assert gateway.says("maintenance", "off", "--site", "killed")[0] == 0
    code, words = gateway.says("status", "--site", "shop")
    assert code == 0
    assert "that of the gateway" in words
    code, words = gateway.says(
        "plan",
        "sites/shop",
        "--workers",
        "1",
        "--listen",
        f"127.0.0.1:{gateway.run.port}",
        "--diff",
        *(["--gateway", "apache"] if gateway.run.is_apache else []),
    )
    assert code == 0, words
    assert "nothing would change" in words
    code, words = gateway.says("pause", "sites")
    assert code == 1
    assert "one of" in words


def test_a_guard_refuses_for_its_own_site_alone_and_the_line_says_so(gateway: Gateway) -> None:
    """The sites share the variable by which a guard says its name."""
    gateway.serves("shop")
    gateway.serves("killed")
    assert gateway.says("maintenance", "on", "--site", "killed")[0] == 0
    assert gateway.get("killed.example", "/?closed")[0] == 503
    assert gateway.get("shop.example", "/?open") == (200, "shop")
    assert gateway.says("maintenance", "off", "--site", "killed")[0] == 0

    def refused(name: str, uri: str) -> list[str]:
        code, words = gateway.says("logs", "--site", name, "--json", "--no-follow")
        assert code == 0, words
        return [line["refused_by"] for line in map(json.loads, words.splitlines()) if line.get("uri") == uri]

    gateway.eventually(lambda: refused("killed", "/?closed") == ["maintenance"])
    gateway.eventually(lambda: refused("shop", "/?open") == [""])


def test_check_looks_at_each_and_at_all_together(gateway: Gateway) -> None:
    gateway.serves("shop")
    write_files(gateway.home, {"wanted/a.toml": 'app = "../sites/shop/app.py"\ndomains = ["a.example"]\n'})
    write_files(gateway.home, {"wanted/b.toml": 'app = "../sites/shop/app.py"\ndomains = ["a.example"]\n'})
    write_files(gateway.home, {"wanted/c.toml": 'bogus = 1\n[nginx]\nhttp = ["gzip_static off;"]\n'})
    code, words = gateway.says("check", "wanted/a.toml", "wanted", "./wanted/a.toml", "--json")
    assert code == 1
    found = json.loads(words)
    faults = {
        site.removeprefix("./"): [one["what"] for one in of if one["level"] == "fault"]
        for site, of in found.items()
    }
    # Both want port 80, which is not every user's.
    assert [what for what in faults["wanted/a.toml"] if "port 80" not in what] == []
    assert 'wanted/b.toml: answers "a.example" on' in " ".join(faults["wanted/b.toml"])
    assert faults["wanted/c.toml"] == ["wanted/c.toml:1: bogus: unknown key"]
    code, words = gateway.says("check", "sites", "--listen", f"127.0.0.1:{gateway.run.port}")
    assert "is taken" not in words, "the ports of a gateway that runs are its own"


def test_sites_come_and_go_at_a_hangup(gateway: Gateway) -> None:
    with Clients(gateway.run.port, host="shop.example") as shop:
        write_files(gateway.home, site("added") | site("wants-too-much", "", "shop.example"))
        os.kill(gateway.run.process.pid, signal.SIGHUP)
        gateway.serves("added")
        gateway.eventually(lambda: gateway.sites().get("wants-too-much", {}).get("status") == "refused")
        for name in ("added", "wants-too-much"):
            (gateway.home / f"sites/{name}/portico.toml").unlink()
        gateway.says("reload", "sites")
        assert not {"added", "wants-too-much"} & set(gateway.sites())
        gateway.eventually(lambda: gateway.refuses("added.example"))
    assert not gateway.lost(shop)


def test_a_gateway_that_was_killed_is_started_again_on_what_it_left() -> None:
    with private_directory() as home:
        write_files(home, site("shop") | site("blog"))
        run = start(home, "sites", "--workers", "1")
        before = list[psutil.Process]()
        try:
            until_ready(run, 90)
            before = run.processes()
            run.process.kill()
            run.process.wait()
            run.process = start(home, "sites", "--workers", "1", port=run.port).process
            until_ready(run, 90)
            gateway = Gateway(run)
            gateway.serves("shop")
            gateway.serves("blog")
            assert not psutil.wait_procs(before, 60)[1]
        finally:
            end(run)


SLOW = (
    APP.format(name="slow")
    + """
@app.get("/slow")
def slow():
    import time
    open("begun", "w").close()
    time.sleep(5)
    return "finished"
"""
)


def test_systemd_is_told_when_every_site_was_tried_and_a_stop_finishes_what_is_in_progress() -> None:
    with private_directory() as home, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(home / "notify"))
        manager.settimeout(90)
        write_files(home, site("slow", SLOW) | site("broken", BROKEN))
        run = start(home, "sites", "--workers", "1", env={"NOTIFY_SOCKET": str(home / "notify")})
        try:
            while "READY=1" not in manager.recv(65536).decode().splitlines():
                pass
            gateway = Gateway(run)
            told = gateway.sites()
            assert told["slow"]["status"] == "serving"
            assert told["broken"]["code"] == 4
            with ThreadPoolExecutor(1) as visitor:
                answer = visitor.submit(gateway.get, "slow.example", "/slow")
                gateway.eventually((home / "sites/slow/begun").exists)
                assert run.stop() == -signal.SIGTERM
                assert answer.result() == (200, "finished")
        finally:
            end(run)


def test_commands_about_one_plan_say_so() -> None:
    with private_directory() as home:
        write_files(home, site("shop") | site("blog"))
        for command in (["plan"], ["export", "systemd"], ["explain", "--app"]):
            done = portico(*command, "sites", cwd=home)
            assert done.returncode == 2
            assert "sites: 2 sites, and this is about one" in done.stderr
            assert f"portico {' '.join(command)} sites/blog" in done.stderr
        done = portico("check", "nosuch.toml", "sites", cwd=home)
        assert done.returncode == 1
        assert "nosuch.toml: no such file" in done.stdout
        assert "nosuch.toml: nosuch.toml" not in done.stdout


def test_nothing_that_can_be_served_is_an_error() -> None:
    with private_directory() as home:
        write_files(home, {"a.toml": "listn = 3\n", "b.toml": 'domains = "b.example"\nlisten = "nowhere"\n'})
        done = portico("run", "a.toml", "b.toml", cwd=home)
        assert done.returncode == 2
        assert "a.toml:1: listn: unknown key" in done.stderr
        assert "b.toml:2" in done.stderr
