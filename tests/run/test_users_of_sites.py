"""Sites of different users on one gateway: what belongs to whom, and what one site's user can reach of another's."""

from __future__ import annotations

import pwd
import re
import shutil
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.test_sites import site
from tests.live.tls import handshake
from tests.support import Served, end, free_port, private_directory, start, until_ready, walk, write_files
from tests.support.until import until
from tests.users import ONLY_ROOT, USER, as_user, paths, python

pytestmark = [ONLY_ROOT, pytest.mark.timeout(180)]
OTHER = "news"
OWNERS = {"shop": USER, "blog": OTHER}


@pytest.fixture(scope="module", params=["nginx", "apache"])
def gateway(request: pytest.FixtureRequest) -> Iterator[Served]:
    """shop belongs to `games`, blog to `news`; both have HTTPS."""
    with private_directory() as home:
        secure = free_port()
        for name, owner in OWNERS.items():
            write_files(home, owned(name, owner) if request.param == "apache" else site(name))
            for path in (home / f"sites/{name}", *(home / f"sites/{name}").rglob("*")):
                shutil.chown(path, owner, owner)
        words = [
            "--workers",
            "1",
            "--gateway",
            request.param,
            "--https",
            "local",
            "--https-listen",
            f"127.0.0.1:{secure}",
        ]
        run = start(home, "sites", *words, python=python(), env=paths(home))
        try:
            until_ready(run, 90)
            for name in OWNERS:
                until(lambda: f"{name}  serves" in run.stderr(), name)  # noqa: B023  of this turn
                until(lambda: f"{name}.example" in shown(secure, f"{name}.example"), name)  # noqa: B023
            yield run
        finally:
            end(run)


def owned(name: str, owner: str) -> dict[str, str]:
    """The same with its portico.toml in a directory of root's, as httpd wants it (docs/apache.md)."""
    files = site(name)
    files[f"sites/{name}.toml"] = (
        files.pop(f"sites/{name}/portico.toml") + f'user = "{owner}"\napp = "{name}/app.py"\n'
    )
    return files


def shown(port: int, name: str) -> set[str]:
    """The names of the certificate that is shown; none by a worker of nginx that leaves and does not know the site."""
    try:
        return handshake(port, name).names
    except ssl.SSLError:
        return set()


def of(run: Served, name: str) -> tuple[Path, Path]:
    """The runtime and state directories of that site."""
    (runtime,) = (run.directory / "run").glob(f"{name}-*")
    return runtime, run.directory / "state" / runtime.name


def test_what_others_than_root_and_nginx_may_open(gateway: Served) -> None:
    open_to_all = {}
    for top in ("run", "state"):
        for path, status in walk(gateway.directory / top):
            mode = stat.S_IMODE(status.st_mode)
            parts = path.relative_to(gateway.directory).parts
            if (
                stat.S_ISLNK(status.st_mode)
                or "errors" in parts
                or not mode & 0o007
                or _is_walled(path.parent)
            ):
                continue
            name = "/".join((top, parts[1].partition("-")[0] if top == "run" else parts[1], *parts[2:]))
            open_to_all[re.sub(r"conf-\d+", "conf", name)] = (
                f"{mode:04o} {pwd.getpwuid(status.st_uid).pw_name}"
            )
    beside = {
        "app.sock.live": "0644",
        "conf": "0755",
        "conf/gunicorn.conf.py": "0644",
        "conf/hsts.conf": "0644",
        "gateway": "0644",
    }
    if gateway.is_apache:
        beside |= {"conf/health": "0755", "conf/health/ok": "0644", "conf/health/unwell": "0644"}
    assert open_to_all == {
        **{f"run/{name}": "0751 root" for name in OWNERS},
        **{f"run/{name}/{rest}": f"{mode} root" for name in OWNERS for rest, mode in beside.items()},
        "state/local-ca": "0711 root",
        "state/local-ca/portico-local-ca.pem": "0644 root",
    }


def _is_walled(folder: Path) -> bool:
    """Whether one of the directories on the way keeps others out."""
    return any(not one.stat().st_mode & 0o001 for one in (folder, *folder.parents))


def test_the_user_of_one_site_reaches_nothing_of_another(gateway: Served) -> None:
    runtime, state = of(gateway, "blog")
    (shared,) = (gateway.directory / "run").glob("gateway-*")
    secrets = [
        runtime / "conf/certificate.pem", runtime / "conf/site.conf", runtime / "conf/bindings.json", runtime / "lock",
        state / "access.log", state / "error.log", state / "certificates/local.pem",
        shared / "conf" / ("httpd.conf" if gateway.is_apache else "nginx.conf"),
        shared / "conf/sites/shop/certificate.pem",
        gateway.directory / "state/local-ca/portico-local-ca.key",
    ]  # fmt: skip
    for path in secrets:
        assert path.exists(), path
        read = as_user("cat", str(path))
        assert (read.returncode, read.stdout) == (1, ""), path
    connect = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    sockets = [runtime / name for name in ("app.sock", "app.1.sock", "control.sock", "purge.sock")]
    sockets += [of(gateway, "shop")[0] / name for name in ("app.sock", "control.sock")]
    for socket in (*sockets, shared / "control.sock"):
        assert socket.exists(), socket
        tried = as_user("/usr/bin/python3", "-c", connect, str(socket))
        assert "PermissionError" in tried.stderr, socket
    for folder in (runtime, state, shared, state / "bodies", state / "certificates"):
        assert as_user("ls", str(folder)).returncode != 0, folder
        assert as_user("touch", str(folder / "x")).returncode != 0, folder


def test_each_app_is_its_owner(gateway: Served) -> None:
    asked = gateway.called("gunicorn", "apache2" if gateway.is_apache else "nginx: worker")
    # The process of httpd that opens logs and ports is the child of Portico, and looks like its own workers.
    users = {process.username() for process in asked if process.ppid() != gateway.process.pid}
    assert users >= {USER, OTHER}
    assert "root" not in users
