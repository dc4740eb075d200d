"""Every case of the golden plans, read by the program it is written for: what we write is what nginx and httpd take."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import certifi
import pytest

from portico.check.accepted import write_placeholder
from portico.errors import PorticoError
from portico.log.errors.nginx import HASH
from portico.place.gateway.httpd import found as find_httpd
from portico.place.gateway.nginx import find_nginx
from portico.place.model import Build
from portico.plan.model import Plan
from tests.plan.test_golden import GOLDEN, case
from tests.support import RULE, private_directory, write_files

_LISTEN = re.compile(r"listen (\S+?)(;| [^;]*;)")
_OF_TCP = re.compile(r" ipv6only=\w+")
_HTTP3 = re.compile(r"listen \S+ quic[^;]*;|http3 on;")
"""No nginx at hand speaks it; the rest of that case is read."""
_MORE = re.compile(r"^\s*(?:load_module \S*headers_more\S*|more_clear_headers .*);\n", re.MULTILINE)
"""Likewise: the module of Debian's package, where nginx has it to load."""
_OLD_HTTP2 = 'the "listen ... http2" directive is deprecated'
_USER = re.compile(r"^user .*;\n", re.MULTILINE)
_CAS = re.compile(r"/(?:srv/shop|etc|etc/ssl)/[\w-]*\.pem")
_HOSTS = re.compile(r"\bapp-[ab]\b")


_OF_HTTPD = sorted(GOLDEN.glob("apache*.txt"))
_CASES = pytest.mark.parametrize(
    "path", sorted({*GOLDEN.glob("*.txt")} - {*_OF_HTTPD}), ids=lambda path: path.stem
)


@_CASES
def test_nginx_accepts_every_golden_plan(path: Path, tmp_path: Path) -> None:
    made = _case(path, tmp_path)
    is_old = made.versions["nginx"].startswith("1.22.")
    nginx = find_nginx("system" if is_old else "embedded")
    said = warnings(made, nginx)
    if is_old and nginx.version >= (1, 25, 1):  # written for an older one; the next test writes for this one
        said = "".join(line for line in said.splitlines(True) if _OLD_HTTP2 not in line)
    assert "[warn]" not in said


@_CASES
def test_the_installed_nginx_accepts_what_is_written_for_it(path: Path, tmp_path: Path) -> None:
    """Whichever version the system has: 1.22 on Debian 12, 1.26 on Debian 13."""
    nginx = find_nginx("system")
    assert "[warn]" not in warnings(_case(path, tmp_path, nginx), nginx)


@pytest.mark.parametrize("path", _OF_HTTPD, ids=lambda path: path.stem)
def test_httpd_accepts_every_golden_plan(path: Path, tmp_path: Path) -> None:
    made = _case(path, tmp_path)
    with private_directory() as directory:
        files = [*made.files, *([made.upstream.file()] if made.upstream else [])]
        write_files(directory, {f"conf/{file.path}": _in(directory, file.content) for file in files})
        write_placeholder(made, directory / "conf")
        for needed in made.directories:
            Path(_in(directory, needed.path)).mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [find_httpd("auto").first.path, "-d", f"{directory}/conf", "-f", f"{directory}/conf/httpd.conf", "-t"],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "Syntax OK\n")


def _case(path: Path, tmp_path: Path, installed: Build | None = None) -> Plan:
    try:
        return case(path.read_text().partition(RULE)[0], tmp_path, installed)
    except PorticoError:
        pytest.skip("a case of an error")


def warnings(made: Plan, nginx: Build, without: str = "") -> str:
    """What nginx says of these files, which it has to accept, without lines that match `without`."""
    with private_directory() as directory:
        write_files(directory, _private(made, directory))
        if without:
            conf = directory / "conf/nginx.conf"
            conf.write_text(re.sub(f"^ *(?:{without}) .*;\n", "", conf.read_text(), flags=re.MULTILINE))
        write_placeholder(made, directory / "conf")
        for needed in made.directories:
            Path(_moved(needed.path, directory)).mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [nginx.path, "-t", "-q", "-p", str(directory), "-c", "conf/nginx.conf", "-e", "stderr"],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return without_hash(done.stderr)


def without_hash(said: str) -> str:
    """Without nginx's wish for a larger table of uwsgi_param and fastcgi_param, for which it has no directive."""
    return "".join(line for line in said.splitlines(keepends=True) if HASH not in line)


def _private(made: Plan, directory: Path) -> dict[str, str]:
    """The same files where nginx needs no port, no name server and no directory of the machine's."""
    return {f"conf/{file.path}": _moved(file.content, directory) for file in made.files}


def _in(directory: Path, text: str) -> str:
    """The same text below a directory of the test's."""
    text = _CAS.sub(certifi.where(), text)
    return text.replace("/run/shop", str(directory)).replace("/var/shop", f"{directory}/state")


def _moved(text: str, directory: Path) -> str:
    text = _in(directory, _HTTP3.sub("", _HOSTS.sub("127.0.0.1", text)))
    text = _MORE.sub("", text) if "headers_more" in text else text
    text = text if os.geteuid() == 0 else _USER.sub("", text)  # nginx warns of it when it is not root

    def listen(found: re.Match[str]) -> str:
        name = re.sub(r"\W", "_", found[1])
        return f"listen unix:{directory}/{name}.sock{_OF_TCP.sub('', found[2])}"

    return _LISTEN.sub(listen, text)
