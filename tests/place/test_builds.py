"""What is found out about an nginx: whose package it is, what that has fixed, and which one is meant."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from portico.errors import UsageError
from portico.place.gateway import nginx as builds
from portico.place.gateway.finder import Builds
from portico.place.model import Package
from portico.place.names import systems
from portico.place.package import package_of

NGINX = "/usr/sbin/nginx"
CHANGES = """nginx (1.22.1-9+deb12u11) bookworm-security; urgency=high
  * d/p/CVE-2026-123007.patch: include queued DATA; d/p/CVE-2026-118899.patch add (Closes: #1)
"""
SAYS = """nginx version: {name}
built with OpenSSL 3.0.22 25 Aug 2026 (running with OpenSSL 3.5.4 27 Jan 2026)
configure arguments: --with-http_ssl_module --without-http_uwsgi_module --add-module=headers-more-nginx-module-0.34
"""


def put(root: Path, path: str, text: str | bytes) -> None:
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode() if isinstance(text, str) else text)


def installed(root: Path, name: str, version: str, file: str = NGINX) -> None:
    put(root, f"var/lib/dpkg/info/{name}.list", f"/.\n/usr\n{file}\n")
    other = f"Package: {name}-doc\nVersion: 9\n"
    status = f"{other}\nPackage: {name}\nStatus: install ok installed\nVersion: {version}\n\n{other}"
    put(root, "var/lib/dpkg/status", status)


def test_a_package_of_debian_s(tmp_path: Path) -> None:
    installed(tmp_path, "nginx", "1.22.1-9+deb12u11")
    put(tmp_path, "usr/share/doc/nginx/changelog.Debian.gz", gzip.compress(CHANGES.encode()))
    fixes = frozenset({"CVE-2026-123007", "CVE-2026-118899"})
    assert package_of(NGINX, ("nginx", "openresty"), tmp_path) == Package(
        "nginx", "1.22.1-9+deb12u11", "dpkg", fixes, has_changelog=True
    )
    assert package_of("/opt/nginx/sbin/nginx", ("nginx", "openresty"), tmp_path) is None


def test_an_older_debian_s_with_its_changelog_in_another_package(tmp_path: Path) -> None:
    installed(tmp_path, "nginx-core", "1.18.0-6.1+deb11u9", "/sbin/nginx")
    put(tmp_path, "usr/share/doc/nginx-common/changelog.Debian.gz", gzip.compress(CHANGES.encode()))
    found = package_of(NGINX, ("nginx", "openresty"), tmp_path)
    assert found
    assert (found.name, found.version, len(found.fixes)) == ("nginx-core", "1.18.0-6.1+deb11u9", 2)


@pytest.mark.parametrize(
    "changelog",
    [None, b"", b"no gzip", gzip.compress(CHANGES.encode(), mtime=0)[:40]],
    ids=["none", "empty", "not compressed", "cut short"],
)
def test_a_container_without_changelogs(changelog: bytes | None, tmp_path: Path) -> None:
    installed(tmp_path, "nginx", "1.30.7-1~bookworm")
    if changelog is not None:
        put(tmp_path, "usr/share/doc/nginx/changelog.Debian.gz", changelog)
    assert package_of(NGINX, ("nginx", "openresty"), tmp_path) == Package(
        "nginx", "1.30.7-1~bookworm", "dpkg"
    )


def test_a_package_of_alpine_s(tmp_path: Path) -> None:
    other = "P:nginx-mod-http-js\nV:1.28.0-r3\nF:usr/lib/nginx/modules\nR:ngx_http_js_module.so\n"
    own = "C:Q1\nP:nginx\nV:1.28.0-r3\nF:etc/nginx\nR:nginx.conf\nF:usr/sbin\nR:nginx\n"
    put(tmp_path, "lib/apk/db/installed", f"P:musl\nV:1\n\n{other}\n{own}\n")
    assert package_of(NGINX, ("nginx", "openresty"), tmp_path) == Package("nginx", "1.28.0-r3", "apk")


def test_a_system_without_packages(tmp_path: Path) -> None:
    assert package_of(NGINX, ("nginx", "openresty"), tmp_path) is None


def test_what_a_system_is_like() -> None:
    assert systems('PRETTY_NAME="Rocky"\nID="rocky"\nID_LIKE="rhel centos fedora"\n') == (
        "rocky", "rhel", "centos", "fedora",
    )  # fmt: skip
    assert systems("ID=debian\n") == ("debian",)
    assert systems("") == ()


def program(directory: Path, text: str) -> str:
    path = directory / "nginx"
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def says(directory: Path, name: str) -> str:
    return program(directory, f"#!/bin/sh\ncat >&2 <<'END'\n{SAYS.format(name=name)}END\n")


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("nginx/1.30.7", (1, 30, 7)),
        ("openresty/1.27.1.2", (1, 27, 1)),
        ("nginx/1.29.0 (nginx-plus-r35)", (1, 29, 0)),
    ],
)
def test_what_a_binary_says_of_itself(name: str, version: tuple[int, ...], tmp_path: Path) -> None:
    found = builds.find_nginx(says(tmp_path, name))
    assert (found.version, found.origin, found.package) == (version, "path", None)
    assert found.openssl == (3, 5, 4), "the one it runs with"
    assert found.modules == {"http_ssl_module", "headers-more-nginx-module-0.34"}
    assert found.without == {"http_uwsgi_module"}


def test_a_path_may_be_that_of_the_installed_or_the_embedded_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded = builds.find_nginx("embedded")
    (tmp_path / "link").symlink_to(embedded.path)
    assert builds.find_nginx(str(tmp_path / "link")).origin == "embedded"
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    path = says(tmp_path, "nginx/1.30.7")
    assert builds.find_nginx(path).origin == "system"


def test_auto_has_every_build_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builds, "_SBIN", ())
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    says(tmp_path, "nginx/1.30.7")
    both = builds.found("auto")
    assert [one.origin for one in (both.first, *both.others)] == ["system", "embedded"]
    path = program(tmp_path, "#!/bin/sh\necho 'error while loading shared libraries' >&2\nexit 127\n")
    alone = builds.found("auto")
    assert (alone.first.origin, alone.others) == ("embedded", ())
    assert alone.note == f"{path} is not nginx"
    Path(path).unlink()
    assert builds.found("auto") == Builds(alone.first)


def test_who_asks_for_the_installed_one_where_none_is_is_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(builds, "_SBIN", ())
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError, match="no nginx is installed") as told:
        builds.find_nginx("system")
    assert "--nginx embedded" in str(told.value)


def test_the_environment_names_one_where_no_option_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(builds.NGINX.variable, "system")
    assert builds.NGINX.choice("auto", is_said=False) == "system"
    assert builds.NGINX.choice("auto", is_said=True) == "auto"
    monkeypatch.setenv(builds.NGINX.variable, "")
    assert builds.NGINX.choice("auto", is_said=False) == "auto"
