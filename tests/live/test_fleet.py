"""A rolling release over three hosts behind a gateway, by the system's ssh and a real sshd on each.

The hosts are addresses of loopback and mount namespaces: /DIRECTORY is another on each of them.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support import Served, environment, free_port, private_directory, served, write_files
from tests.support.clients import STRANGERS_WHO_POST, Clients, ask
from tests.support.process import running
from tests.support.until import until

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root may mount, and have a host's own directories"
)
PROGRAM = Path(sys.prefix) / "bin" / "portico"
APP = """
def app(environ, start_response):
    start_response("UP -" if environ["PATH_INFO"] == "/up" else "200 OK", [("Content-Type", "text/plain")])
    return [b"HOST RELEASE"]
"""
HOSTS = {"127.0.0.2": "a", "127.0.0.3": "b", "127.0.0.4": "c"}


class Fleet:
    """`mount` is the directory that each host has for itself, `homes` what is there, by the names of the hosts."""

    def __init__(self, home: Path) -> None:
        self.mount, self.homes = home / "srv", {name: home / name for name in HOSTS.values()}
        self.port, self.bin = free_port(), home / "bin"
        for one in (self.mount, self.bin, *self.homes.values()):
            one.mkdir()
        self.gateway: Served

    def code(self, release: str, up: int = 200, broken_on: str = "") -> None:
        for name, home in self.homes.items():
            text = APP.replace("HOST", name).replace("RELEASE", release)
            is_broken = name == broken_on
            text = text.replace("UP", str(up if is_broken else 200))
            if is_broken and up == 200:
                text = "raise RuntimeError('broken here')"
            write_files(
                home / "releases" / release, {"app.py": text, "portico.toml": 'start_timeout = "60s"\n'}
            )

    def on(self, name: str, command: str) -> list[str]:
        """An argv that runs that command on the host."""
        return [
            "unshare",
            "-m",
            "sh",
            "-c",
            f"mount --bind {self.homes[name]} {self.mount} && {command}",
        ]

    def serves(self) -> dict[str, str]:
        """The release of each host. A busy one may miss a check of the gateway, and gets no request for a while."""
        found = dict[str, str]()

        def have_answered() -> bool:
            for _ in range(12):
                host, _, release = ask(self.gateway.port).said.partition(" ")
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
        home = self.gateway.directory
        path = {"PATH": f"{self.bin}:{PROGRAM.parent}:{os.environ['PATH']}"}
        out, err = self.bin / "out", self.bin / "err"
        with running(argv, cwd=home, env=environment(home) | path, stdout=out, stderr=err) as program:
            return program.wait(400), out.read_text(), err.read_text()


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with private_directory() as home, ExitStack() as opened:
        made = Fleet(home)
        made.code("1")
        config = _keys(home)
        for address, name in HOSTS.items():
            (made.homes[name] / "current").symlink_to("releases/1")
            opened.enter_context(_sshd(made, address, name, config))
            opened.enter_context(_node(made, address, name))
        (made.bin / "ssh").write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {config} "$@"\n')
        (made.bin / "ssh").chmod(0o755)
        for at in made.homes.values():
            _until_ready(at / "err")
        servers = [f"{address}:{made.port}" for address in HOSTS]
        toml = f'name = "shop"\nstart_timeout = "3s"\n[fleet]\ndirectory = "{made.mount}"\nprogram = "{PROGRAM}"\n'
        toml += f'[upstream]\nservers = {json.dumps(servers)}\ncheck_path = "/up"\ncheck = "200ms"\n'
        made.gateway = opened.enter_context(served({"portico.toml": toml}))
        (made.gateway.directory / "portico.py").write_text("raise SystemExit('not ours')")
        yield made


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
def _sshd(fleet: Fleet, address: str, name: str, config: Path) -> Iterator[None]:
    home, port = config.parent, free_port()
    own = environment(fleet.mount)
    kept = " ".join(f"{one}={value}" for one, value in own.items() if one.startswith("PORTICO_"))
    Path("/run/sshd").mkdir(exist_ok=True)  # sshd's own, which Debian's unit makes
    said = home / f"sshd_{name}"
    said.write_text(
        f"ListenAddress {address}:{port}\nHostKey {home}/server\nAuthorizedKeysFile {home}/client.pub\n"
        f"StrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin prohibit-password\nSetEnv {kept}\n"
    )
    with config.open("a") as more:
        more.write(f"Host {address}\n  Port {port}\n")
    with (home / "known").open("a") as more:
        more.write(f"[{address}]:{port} {(home / 'server.pub').read_text()}")
    with running(fleet.on(name, f"exec /usr/sbin/sshd -D -e -f {said}"), stderr=home / f"sshd_{name}.err"):
        yield


@contextmanager
def _node(fleet: Fleet, address: str, name: str) -> Iterator[None]:
    own = fleet.homes[name]
    command = (
        f"cd {fleet.mount}/current && exec {PROGRAM} run --listen={address}:{fleet.port} --node=127.0.0.1"
    )
    env = environment(fleet.mount) | {"PWD": f"{fleet.mount}/current"}
    with running(fleet.on(name, f"{command} --workers=1"), env=env, stdout=own / "out", stderr=own / "err"):
        yield


def _left(stdout: str) -> list[str]:
    return list(json.loads(stdout.splitlines()[-1])["servers"].values())


def test_a_release_that_fails_on_one_host_is_undone_there_and_nobody_misses_an_answer(fleet: Fleet) -> None:
    fleet.code("2", broken_on="b")
    fleet.code("3", broken_on="b", up=500)
    fleet.code("4")
    (old,) = set(fleet.serves().values())
    with Clients(fleet.gateway.port, STRANGERS_WHO_POST, count=2, pause_seconds=0.05) as load:
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
    assert not load.failed, load.failed[:5]
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
    server = f"127.0.0.3:{fleet.port}"
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
