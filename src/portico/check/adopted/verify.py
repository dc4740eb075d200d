"""Runs the original configuration and the adopted one on loopback, asks both, and compares."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from portico.check.adopted import stand_in
from portico.check.adopted.certificate import write_certificate
from portico.check.adopted.compare import Row, compare
from portico.check.adopted.folders import make_folders
from portico.check.adopted.questions import Question, questions
from portico.check.outside.client import Answer, Client
from portico.check.outside.target import Target, UnreachableError
from portico.errors import PorticoError, Problem
from portico.explain.adopted import AdoptedSite
from portico.explain.language import Language
from portico.explain.node import Node
from portico.explain.sandbox import Files, Sandbox
from portico.place.gateway.finders import finder_named
from portico.project.adopt.adopt import Made, Result
from portico.project.adopt.combine import with_named_app
from portico.project.adopt.toml import toml_of
from portico.site.access.sha512_crypt import hashed
from portico.site.variables import without

_START_SECONDS = 120.0
_STOP_SECONDS = 60.0
_POLL_SECONDS = 0.1
_PLAIN = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)
_ACCEPT = b"Accept: text/html,*/*;q=0.8"
"""As browsers do: a single-page app answers them."""
_READY = "Ctrl-C stops"


class Verified(Struct, frozen=True):
    """One site: the rows of its table, or why it could not be compared."""

    name: str
    rows: tuple[Row, ...] = ()
    problem: str = ""


class _Box(Struct):
    """A directory, and the addresses of the stand-ins by those of the original."""

    directory: Path
    language: Language
    sandbox: Sandbox
    http: dict[str, int] = field(default_factory=dict)
    uwsgi: dict[str, int] = field(default_factory=dict)

    def stand_in(self, scheme: str, address: str) -> str:
        ports = self.uwsgi if scheme == "uwsgi" else self.http
        return f"127.0.0.1:{ports.setdefault(address, free_port())}"


def verify(result: Result) -> list[Verified]:
    """Every site of an adopted configuration. Raises PorticoError if the original does not start."""
    if (sandbox := result.language.sandbox) is None:
        what = f"{result.language.name} cannot run beside its original"
        raise PorticoError(Problem("--verify", what, "nothing was compared"))
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="portico-verify-")))
        directory.chmod(0o755)
        box = _Box(directory, result.language, sandbox)
        served = [one for one in result.sites if one.text]
        files = _files(box, served)
        root = sandbox.relocated(result.root, box.stand_in, files, lambda path: Path(path).exists())
        ports = _original(stack, box, root)
        _stand_ins(stack, box, _prefixes(box, served, root))
        sites = result.language.adopted(root).sites
        make_folders(sandbox, root, sites, files.folders)
        return [_site(box, root, ports, made, sites[result.sites.index(made)]) for made in served]


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _files(box: _Box, served: Sequence[Made]) -> Files:
    names = [
        name for one in served if isinstance(found := one.site.value("domains"), tuple) for name in found
    ]
    certificate, key = box.directory / "cert.pem", box.directory / "key.pem"
    write_certificate(certificate, key, names or ["localhost"])
    users = box.directory / "users"
    users.write_text(f"nobody:{hashed(secrets.token_hex(16))}\n")
    (box.directory / "app").mkdir()
    stand = box.directory / "app" / "stand_in.py"
    shutil.copy(stand_in.__file__, stand)
    return Files(str(certificate), str(key), str(users), str(box.directory / "files"), str(stand))


def _original(stack: ExitStack, box: _Box, root: Node) -> dict[int, int]:
    """Starts the original, and returns its ports by those that its files name."""
    home = box.directory / "original"
    for name in ("conf", "logs"):
        (home / name).mkdir(parents=True)
    modules = finder_named(box.language.name).found("auto").first.loadable
    lines, addresses = box.language.moved(box.sandbox.lines(root, str(home), modules), str(home), free_port)
    (home / "conf" / box.language.main).write_text("\n".join([*lines, ""]))
    argv = _that_reads(box, str(home))
    process = stack.enter_context(_process(argv, home))
    ports = dict(_ports(addresses))
    for port in ports.values():
        _until_listens(process, port, home / "error.log")
    return ports


def _ports(addresses: dict[str, str]) -> Iterator[tuple[int, int]]:
    """The sandbox's port for each of the original."""
    for address, own in addresses.items():
        if (port := address.rpartition(":")[2]).isdigit():
            yield int(port), int(own.rpartition(":")[2])


def _that_reads(box: _Box, home: str) -> list[str]:
    """The command with the first build that accepts the configuration. Raises PorticoError with what nginx says."""
    builds = finder_named(box.language.name).found("auto")
    said = ""
    for build in (*builds.others, builds.first):
        argv = box.language.argv(build.path, home)
        done = subprocess.run(
            [*argv, *box.language.only_reads], capture_output=True, text=True, check=False, timeout=60
        )
        if done.returncode == 0:
            return argv
        said = said or done.stderr
    what = f"{box.language.name} does not accept the original"
    raise PorticoError(Problem("--verify", what, "nothing was compared", said.strip()))


def _prefixes(box: _Box, served: Sequence[Made], root: Node) -> str:
    """Behind a single-page app an API has paths of its own alone; else every path is the app's."""
    has_page = any(one.site.value("spa") and one.site.value("upstream", "servers") for one in served)
    return " ".join(box.sandbox.passed(root)) if has_page else "/"


def _stand_ins(stack: ExitStack, box: _Box, prefixes: str) -> None:
    for ports, more in ((box.http, ()), (box.uwsgi, ("--protocol", "uwsgi"))):
        if not ports:
            continue
        binds = [word for port in ports.values() for word in ("-b", f"127.0.0.1:{port}")]
        argv = [
            sys.executable,
            "-m",
            "gunicorn",
            "--threads",
            "4",
            "--no-control-socket",
            *more,
            *binds,
            "stand_in:app",
        ]
        env = {**os.environ, "STAND_IN_PREFIXES": prefixes}
        process = stack.enter_context(_process(argv, box.directory / "app", env))
        for port in ports.values():
            _until_listens(process, port, box.directory / "app" / "said.txt")


@contextmanager
def _process(
    argv: Sequence[str], home: Path, env: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    with (home / "said.txt").open("wb") as said:
        process = subprocess.Popen(
            argv, cwd=home, env=env, stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
    try:
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
        if process.poll() is None:
            process.kill()
            process.wait()


def _until_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    give_up = time.monotonic() + _START_SECONDS
    while time.monotonic() < give_up and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(_POLL_SECONDS)
    quote = log.read_text("utf-8", "replace") if log.exists() else ""
    raise PorticoError(
        Problem("--verify", f"nothing listens on port {port}", "nothing was compared", quote[-2000:])
    )


def _site(box: _Box, root: Node, ports: dict[int, int], made: Made, adopted: AdoptedSite) -> Verified:
    home = box.directory / f"site-{made.site.name}"
    home.mkdir()
    site = adopted
    if made.site.value("app") is not None:
        site, _ = with_named_app(adopted, "stand_in:app", str(home))
        site = _mounted(site, made.site)
        shutil.copy(stand_in.__file__, home / "stand_in.py")
    options = tuple(
        one
        for one in site.options
        if one.key not in (("listen",), ("https", "listen"), ("user",), ("python",))
    )
    site = replace(site, options=options)
    (home / "portico.toml").write_text(toml_of(site, "the sandbox"))
    plain, secure = free_port(), free_port()
    words = ["--listen", f"127.0.0.1:{plain}"]
    if made.site.value("https", "cert") is not None:
        words += ["--https-listen", f"127.0.0.1:{secure}"]
    if os.geteuid() == 0:
        words += ["--user", "root"]
    env = _environment(box.directory)
    argv = [sys.executable, "-P", "-m", "portico", "run", "--config", "portico.toml", *words]
    with _process(argv, home, env) as process:
        if not _is_ready(process, home / "said.txt"):
            said = (home / "said.txt").read_text("utf-8", "replace").strip()
            return Verified(made.site.name, problem=said[-2000:])
        return Verified(made.site.name, tuple(_rows(box, made, site, root, ports, (plain, secure))))


def _mounted(site: AdoptedSite, as_written: AdoptedSite) -> AdoptedSite:
    """The site with the prefix that its portico.toml has."""
    options = (one for one in site.options if one.key != ("mount",))
    return replace(site, options=(*options, *(one for one in as_written.options if one.key == ("mount",))))


def _environment(directory: Path) -> dict[str, str]:
    own = {"PORTICO_RUNTIME_DIR": str(directory / "run"), "PORTICO_STATE_DIR": str(directory / "state")}
    return {name: value for name, value in without(os.environ).items() if name != "PORT"} | own


def _is_ready(process: subprocess.Popen[bytes], said: Path) -> bool:
    give_up = time.monotonic() + _START_SECONDS
    while time.monotonic() < give_up and process.poll() is None:
        if _READY in said.read_text("utf-8", "replace"):
            return True
        time.sleep(_POLL_SECONDS)
    return False


def _rows(
    box: _Box, made: Made, site: AdoptedSite, root: Node, ports: dict[int, int], own: tuple[int, int]
) -> Iterator[Row]:
    server = next(node for node, _ in root.walk() if node.place == made.site.cause)
    for one in questions(made, box.sandbox.paths(server), _static_files(site)):
        theirs = _port(made, ports, is_secure=one.is_secure)
        if theirs is None:
            continue
        mine = own[1] if one.is_secure else own[0]
        yield compare(one, _ask(one, theirs), _ask(one, mine))


def _port(made: Made, ports: dict[int, int], *, is_secure: bool) -> int | None:
    """The original's port that the site listens on."""
    listen = made.site.value("https", "listen") if is_secure else made.site.value("listen")
    named = int(str(listen).rpartition(":")[2]) if listen is not None else (443 if is_secure else 80)
    return ports.get(named)


def _static_files(site: AdoptedSite) -> dict[str, str]:
    """One file of each folder that is there."""
    found = dict[str, str]()
    for one in site.options:
        if one.key[0] == "static":
            with suppress(OSError):
                names = sorted(path.name for path in Path(str(one.value)).iterdir() if path.is_file())
                if plain := next(filter(_PLAIN.fullmatch, names), ""):
                    found[one.key[1]] = f"{one.key[1]}{plain}"
    return found


def _ask(question: Question, port: int) -> Answer:
    target = Target("https" if question.is_secure else "http", question.host, port, "/", "127.0.0.1")
    client = Client(target)
    headers = (*question.headers, *((f"Content-Length: {question.body}",) if question.body else ()))
    head = client.head(question.path, *headers, method=question.method, host=question.host)
    head = head.replace(b"Accept: */*", _ACCEPT, 1)
    try:
        return client.raw(head + b"x" * question.body, 30.0)
    except UnreachableError:
        return Answer()
