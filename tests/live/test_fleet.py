"""A rolling release over three hosts behind a gateway, by the system's ssh and a real sshd on each.

The hosts are namespaces (`support.hosts`): each has its own address and directory. This process is on the gateway.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.acceptance.app import FILES
from tests.acceptance.places import accept, loses_nothing
from tests.support import environment, private_directory, write_files
from tests.support.clients import STRANGERS_WHO_POST, ask
from tests.support.hosts import Host, are_possible, host, network
from tests.support.process import running
from tests.support.until import until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may make hosts of namespaces")
PROGRAM = Path(sys.prefix) / "bin" / "portico"
GATEWAY, HOSTS = "10.0.0.1", {"10.0.0.2": "a", "10.0.0.3": "b", "10.0.0.4": "c"}
PORT, PORT_OF_A_NODE = 8080, 8000
APP = """
def app(environ, start_response):
    start_response("UP -" if environ["PATH_INFO"] == "/up" else "200 OK", [("Content-Type", "text/plain")])
    return [b"HOST RELEASE"]
"""
PLAIN = {"app.py": APP, "portico.toml": 'start_timeout = "60s"\n'}
BROKEN = PLAIN | {"app.py": "raise RuntimeError('broken here')"}
UNHEALTHY = PLAIN | {"app.py": APP.replace("UP", "500")}
ACCEPTED = FILES | {
    "shop.py": FILES["shop.py"]
    + """
@app.route("/", methods=["GET", "POST"])
def index():
    return "HOST RELEASE"

@app.get("/up")
def up():
    return ""
""",
    "portico.toml": FILES["portico.toml"] + PLAIN["portico.toml"],
}


class Fleet:
    """`mount` is the directory that each host has for itself, `homes` what is there, by the names of the hosts."""

    def __init__(self, home: Path) -> None:
        self.mount, self.homes = home / "srv", {name: home / name for name in HOSTS.values()}
        self.bin, self.gateway = home / "bin", home / "gateway"
        for one in (self.mount, self.bin, self.gateway, *self.homes.values()):
            one.mkdir()

    def code(
        self, release: str, files: Mapping[str, str] = PLAIN, on_b: Mapping[str, str] | None = None
    ) -> None:
        for name, home in self.homes.items():
            here = on_b if on_b and name == "b" else files
            texts = {
                path: text.replace("HOST", name).replace("RELEASE", release) for path, text in here.items()
            }
            write_files(
                home / "releases" / release, {path: one.replace("UP", "200") for path, one in texts.items()}
            )

    def serves(self) -> dict[str, str]:
        """The release of each host. A busy one may miss a check of the gateway, and gets no request for a while."""
        found = dict[str, str]()

        def have_answered() -> bool:
            for _ in range(12):
                host, _, release = ask(PORT).said.partition(" ")
                found[host] = release
            return found.keys() >= set(HOSTS.values())

        until(have_answered)
        return found

    def release(self, *words: str | Path) -> tuple[int, str, str]:
        """A script, or the words after `portico fleet release`."""
        return self.run(*(words if isinstance(words[0], Path) else (PROGRAM, "fleet", "release", *words)))

    def script(self) -> Path:
        made = self.bin / "release"
        made.write_text(self.run(PROGRAM, "export", "fleet")[1])
        made.chmod(0o755)
        return made

    def run(self, *argv: str | Path) -> tuple[int, str, str]:
        """By a program of its own, in the gateway's directory, as who types it does."""
        out, err = self.bin / "out", self.bin / "err"
        with running(argv, cwd=self.gateway, env=self.environment(), stdout=out, stderr=err) as program:
            return program.wait(400), out.read_text(), err.read_text()

    def environment(self) -> dict[str, str]:
        """The gateway's."""
        return environment(self.gateway) | {"PATH": f"{self.bin}:{PROGRAM.parent}:{os.environ['PATH']}"}


@pytest.fixture(scope="module")
def _hosts_are_possible() -> None:
    if os.environ.get("CI") != "true" and not are_possible():
        pytest.skip("this machine forbids namespaces of networks")


@pytest.fixture(scope="module")
def fleet(_hosts_are_possible: None) -> Iterator[Fleet]:
    with private_directory() as home, network(GATEWAY), ExitStack() as opened:
        made = Fleet(home)
        made.code("1")
        config = _keys(home)
        (made.bin / "ssh").write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {config} "$@"\n')
        (made.bin / "ssh").chmod(0o755)
        write_files(made.gateway, {"portico.toml": _toml(made), "portico.py": "raise SystemExit('not ours')"})
        code, stdout, stderr = made.run(PROGRAM, "export", "fleet", "--write", home / "fleet")
        assert code == 0, stdout + stderr
        for address, name in HOSTS.items():
            (made.homes[name] / "current").symlink_to("releases/1")
            at = opened.enter_context(host(name, address, made.homes[name], made.mount))
            opened.enter_context(_sshd(made, at, name, config))
            opened.enter_context(_node(made, at, made.homes[name], home / "fleet"))
        for at_home in made.homes.values():
            _until_ready(at_home / "err")
        out, err = home / "gateway.out", home / "gateway.err"
        serves = (str(PROGRAM), "run", "--listen", f"127.0.0.1:{PORT}")
        opened.enter_context(
            running(serves, cwd=made.gateway, env=made.environment(), stdout=out, stderr=err)
        )
        _until_ready(err)
        yield made


def _toml(fleet: Fleet) -> str:
    return f"""\
name = "shop"
start_timeout = "20s"
request_timeout = "12s"
max_upload = "2MiB"
[fleet]
directory = "{fleet.mount}"
program = "{PROGRAM}"
node = ["{GATEWAY}"]
[upstream]
servers = {json.dumps([f"{address}:{PORT_OF_A_NODE}" for address in HOSTS])}
check_path = "/up"
check = "200ms"
"""


def _until_ready(said: Path) -> None:
    until(lambda: "Ctrl-C stops" in said.read_text(), said.read_text)


def _keys(home: Path) -> Path:
    """A key for the test alone, and the client's configuration."""
    for name in ("client", "server"):
        with running(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home / name]) as program:
            assert program.wait(60) == 0
    config = home / "ssh_config"
    config.write_text(
        f"IdentityFile {home}/client\nIdentitiesOnly yes\nUserKnownHostsFile {home}/known\nLogLevel ERROR\n"
    )
    return config


@contextmanager
def _sshd(fleet: Fleet, at: Host, name: str, config: Path) -> Iterator[None]:
    home = config.parent
    own = environment(fleet.mount)
    kept = " ".join(f"{one}={value}" for one, value in own.items() if one.startswith("PORTICO_"))
    Path("/run/sshd").mkdir(exist_ok=True)  # sshd's own, which Debian's unit makes
    said = home / f"sshd_{name}"
    said.write_text(
        f"ListenAddress {at.address}\nHostKey {home}/server\nAuthorizedKeysFile {home}/client.pub\n"
        f"StrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin prohibit-password\nSetEnv {kept}\n"
    )
    with (home / "known").open("a") as more:
        more.write(f"{at.address} {(home / 'server.pub').read_text()}")
    with running(at.runs(f"exec /usr/sbin/sshd -D -e -f {said}"), stderr=home / f"sshd_{name}.err"):
        yield


@contextmanager
def _node(fleet: Fleet, at: Host, own: Path, exported: Path) -> Iterator[None]:
    """It runs with the flags of the service that the export makes there."""
    (line,) = (one for one in (exported / "hosts" / at.address / "install").read_text().splitlines()
               if one.startswith("unit="))  # fmt: skip
    words = shlex.split(line.partition(" systemd ")[2].partition(" --write ")[0])
    assert words == [f"--listen={at.address}:{PORT_OF_A_NODE}", f"--node={GATEWAY}"]
    command = f"cd {fleet.mount}/current && exec {PROGRAM} run --workers=1 {shlex.join(words)}"
    env = environment(fleet.mount) | {"PWD": f"{fleet.mount}/current"}
    with running(at.runs(command), env=env, stdout=own / "out", stderr=own / "err"):
        yield


def _left(stdout: str) -> list[str]:
    return list(json.loads(stdout.splitlines()[-1])["servers"].values())


def test_a_release_that_fails_on_one_host_is_undone_there_and_nobody_misses_an_answer(fleet: Fleet) -> None:
    fleet.code("2", on_b=BROKEN)
    fleet.code("3", on_b=UNHEALTHY)
    fleet.code("4")
    (old,) = set(fleet.serves().values())
    with loses_nothing("fleet", PORT, STRANGERS_WHO_POST, count=2, pause_seconds=0.05) as load:
        code, stdout, stderr = fleet.release("2", "--json")
        assert (code, _left(stdout)) == (1, ["new", "rolled back", "untouched"]), stdout + stderr
        assert "broken here" in stdout
        assert fleet.serves() == {"a": "2", "b": old, "c": old}
        assert (fleet.homes["b"] / "current").readlink() == Path(f"releases/{old}")

        code, stdout, stderr = fleet.release("3", "--json")
        assert (code, _left(stdout)) == (1, ["new", "rolled back", "untouched"]), stdout + stderr
        assert "does not answer well" in stdout, stdout
        assert fleet.serves() == {"a": "3", "b": old, "c": old}

        code, stdout, stderr = fleet.release(fleet.script(), "4")
        assert (code, stdout.splitlines()[-1:]) == (0, ["released 4"]), stdout + stderr
        assert fleet.serves() == {"a": "4", "b": "4", "c": "4"}
    assert load.statuses()[200] > 100


def test_nothing_is_changed_on_any_host_if_one_of_them_lacks_the_code(fleet: Fleet) -> None:
    before = fleet.serves()
    fleet.code("5")
    (fleet.homes["c"] / "releases" / "5").rename(fleet.homes["c"] / "releases" / "other")
    code, stdout, stderr = fleet.release("5")
    assert (code, stdout.count("was not touched")) == (1, 3), stdout + stderr
    assert "no releases/5" in stderr
    assert fleet.serves() == before


@pytest.mark.parametrize("is_script", [False, True])
def test_a_server_that_was_drained_on_purpose_gets_the_release_and_stays_drained(
    fleet: Fleet, *, is_script: bool
) -> None:
    name = f"7{is_script:d}"
    fleet.code(name)
    server = f"10.0.0.3:{PORT_OF_A_NODE}"
    assert fleet.run(PROGRAM, "drain", server)[0] == 0
    if is_script:
        code, stdout, stderr = fleet.release(fleet.script(), name)
        assert stdout.splitlines()[-1:] == [f"released {name}"], stdout + stderr
    else:
        code, stdout, stderr = fleet.release(name, "--json")
        assert _left(stdout) == ["new", "new, drained", "new"], stdout + stderr
    assert code == 0, stdout + stderr
    assert (fleet.homes["b"] / "current").readlink() == Path(f"releases/{name}")
    status = json.loads(fleet.run(PROGRAM, "status", "--json")[1])
    assert {one["name"]: one["status"] for one in status["servers"]}[server] == "drained"
    assert fleet.run(PROGRAM, "drain", server, "--undo", "--when-well")[0] == 0
    assert fleet.serves() == dict.fromkeys("abc", name)


def test_a_release_that_the_fleet_has_rolled_out_keeps_the_promises_of_every_site(fleet: Fleet) -> None:
    fleet.code("8", ACCEPTED)
    for home in fleet.homes.values():  # as rsync brings them: the ETag is made of it
        os.utime(home / "releases/8/static/a.css", (1.7e9, 1.7e9))
    code, stdout, stderr = fleet.release("8")
    assert code == 0, stdout + stderr
    assert fleet.serves() == dict.fromkeys("abc", "8")
    accept("fleet", f"http://127.0.0.1:{PORT}")


@pytest.mark.usefixtures("_hosts_are_possible")
def test_the_hosts_are_nobody_elses_and_gone_after_a_failure() -> None:
    """In a network of its own: in the machine's, others come and go meanwhile."""
    used = list[Host]()
    with network(GATEWAY):
        before = _network()
        with pytest.raises(ZeroDivisionError):
            _use_and_fail(used)
        assert _network() == before
    assert not [one for one in used if Path(f"/proc/{one.pid}").exists()]


def _network() -> tuple[Path, list[str]]:
    """The one that this thread is in, and its interfaces."""
    names = Path("/proc/thread-self/net/dev").read_text().splitlines()[2:]
    return Path("/proc/thread-self/ns/net").readlink(), sorted(one.partition(":")[0].strip() for one in names)


def _use_and_fail(used: list[Host]) -> None:
    """The same name and address twice, in two networks."""
    with ExitStack() as opened:
        home = opened.enter_context(private_directory())
        for _ in "ab":
            opened.enter_context(network(GATEWAY))
            used.append(opened.enter_context(host("a", "10.0.0.2", home, home)))
        raise ZeroDivisionError
