"""gixy-ng, the security linter for nginx, has nothing above low to say of any configuration that Portico writes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from portico.errors import PorticoError
from portico.plan.files import File
from portico.plan.gateway.nginx.entry.tls import hsts_file
from portico.plan.host import fragment_of, host_plan
from portico.plan.model import Plan
from portico.run.disk.write import write_files
from tests.plan.test_gateway import EVERYTHING, GATEWAY, OWN, TLS, planned, site
from tests.plan.test_golden import BUILDS, GOLDEN, case
from tests.support import ROOT, RULE

MINE = site("mine", "mine.example", more=OWN.replace('"allow all;",', "") + "]\n")
LINTER = Path(sys.prefix) / "gixy"
"""Where scripts/gixy puts it: its parser has the import name of crossplane, so it is in no one's way here."""


@dataclass(frozen=True)
class Finding:
    path: str
    plugin: str
    severity: str
    reason: str
    line: str
    place: str

    def __str__(self) -> str:
        case = Path(self.path).parents[1].name
        return f"{self.severity} {self.plugin} in {case}: {self.line} ({self.place}): {self.reason}"


@dataclass(frozen=True)
class Harmless:
    """Findings that are false: those of a plugin that name such a line in such blocks."""

    plugin: str
    line: str
    place: str
    why: str

    def holds(self, finding: Finding) -> bool:
        return (
            re.fullmatch(self.plugin, finding.plugin) is not None
            and re.fullmatch(self.line, finding.line) is not None
            and re.fullmatch(self.place, finding.place) is not None
        )


_IN_LOCATION = r"server(?: > location \S.*)+"
HARMLESS = [
    Harmless(
        "if_is_evil", r"set \$portico_\w+ (?:\w+|\$portico_crawler|\$portico_to(?:_\d+)?);",
        _IN_LOCATION + r" > if \(.+\) \(returns\)",
        "`set` and `return` are both of the module that `if` is of, which carries them out one after the other; the "
        "request is answered there",
    ),
    Harmless(
        "if_is_evil", r"set \$portico_crowded \$portico_client;",
        _IN_LOCATION + r" > if \(-f \S+\.crowd\) \(goes on\)",
        "what such a location asks of a request (limits, checks, the link to the app) holds in its `if`, too; the one "
        "thing that does not is try_files, and there is none: tests/live/test_busy.py, test_waf.py",
    ),
    Harmless(
        "if_is_evil", r"break ;", _IN_LOCATION + r" > if \(\$http_accept_encoding = \) \(goes on\)",
        "no other `if` of the location is asked; a file has no try_files there, and a folder no pattern for its alias",
    ),
    Harmless(
        "if_is_evil", r"(?:root|gzip|brotli|add_header) .+;",
        _IN_LOCATION + r" > if \(-f /\S+/\$portico_coding\$uri\) \(goes on\)",
        "a compressed copy is sent in the place of the file: everything that a file says is repeated there, no second "
        "`if` of the location takes effect, and no link to an app is near: tests/live/test_copies.py",
    ),
    Harmless(
        "try_files_is_evil_too", r"try_files /-/ @portico_(?:\w+__)?well;", "server > location = /-/health",
        "a load balancer asks each second, and limit_req bounds it",
    ),
    Harmless(
        "try_files_is_evil_too", r"try_files /-/inspected @portico_inspected\w*;", _IN_LOCATION,
        "looking for a file that is never there costs a thousandth of the inspection that follows",
    ),
    Harmless(
        "try_files_is_evil_too", r"try_files \$uri (?:=404|@portico_to_https);",
        r"server > location \^~ /\.well-known/acme-challenge/",
        "the authority asks at once for a file that was just written: that it was missing must not be remembered",
    ),
    Harmless(
        "add_header_redefinition", "add_header Cache-Control no-store always;",
        "server > location = /-/errors/416.html",
        "nginx has said the headers of the file when it finds that the part is not there: tests/live/test_headers.py",
    ),
    Harmless(
        "if_is_evil",
        r"set \$portico_(?:pressed 1|guard challenge, dry run);",
        _IN_LOCATION + r" > if \((?:-f \S+/challenge/on|\$portico_asks_pass_now)\) \(goes on\)",
        "as with the flag of a crowd; without a firewall there is no try_files",
    ),
    Harmless(
        "ssrf|missing_resolver",
        r"proxy_pass https?://portico_route_\d+\$portico_stripped_\d+;",
        r"server > location \S.*",
        "the server is an upstream{} of that name, and what follows it begins with a slash: the location answers 400 "
        "where it does not: tests/live/test_routing.py",
    ),
    Harmless(
        "alias_traversal",
        r"alias \S+/errors/challenge\.;",
        r"server > location \^~ /-/errors/challenge\.",
        "it is internal: only the two names that Portico itself writes lead there",
    ),
    Harmless(
        "http_splitting",
        r"return 301 /\$1;",
        r"server > location ~ \^/old/\(\.\*\)\$",
        "the user's own line, in a case about captures: Portico changes no such line",
    ),
    Harmless(
        "host_spoofing", r"proxy_set_header Host \$http_host;", "server > location /",
        "Portico's own page of the dashboard checks the Host, so that no other site can read it: tests/watch",
    ),
    Harmless(
        "host_spoofing", r"proxy_set_header Host \$http_host;", "server > location = /-/copy",
        "the site's own server has set it, and nobody else reaches this socket",
    ),
    Harmless(
        "hsts_header|weak_ssl_tls", r"server listen 10\.0\.0\.1:8443(?: [^;]*)?;", "",
        "it speaks plain HTTP: gixy takes every port with 443 in it for HTTPS",
    ),
    Harmless(
        "hsts_header", r"server listen 127\.0\.0\.1:8443 ssl.*;", "",
        "a certificate of the local authority: a browser that insisted on it could not come back by HTTP",
    ),
]  # fmt: skip


def test_nothing_above_low_is_found(tmp_path: Path) -> None:
    different = {_text(path): path for path in written(tmp_path)}
    high = [one for one in findings(list(different.values())) if one.severity not in ("LOW", "UNSPECIFIED")]
    found = {str(one): one for one in high if not any(known.holds(one) for known in HARMLESS)}
    assert not found, "\n".join(found)
    unused = [known for known in HARMLESS if not any(map(known.holds, high))]
    assert not unused, unused


def findings(paths: list[Path]) -> list[Finding]:
    assert LINTER.is_dir(), "gixy-ng is not there: scripts/setup dev"
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests/support/gixy_findings.py"), *map(str, paths)],
        env=os.environ | {"PYTHONPATH": str(LINTER)}, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [Finding(**row) for row in json.loads(done.stdout)]


def written(directory: Path) -> Iterator[Path]:
    """The files of every golden case, for three builds, and of several sites on one gateway."""
    for build in (None, "debian", "new"):
        for path in sorted(path for path in GOLDEN.glob("*.txt") if not path.stem.startswith("apache")):
            home = directory / f"{path.stem}-{build}"
            home.mkdir()
            try:
                made = case(path.read_text().partition(RULE)[0], home, BUILDS[build] if build else None)
            except PorticoError:
                continue
            yield _written(made, home)
    yield _several(directory)


def _text(path: Path) -> str:
    """All that stands in a configuration, wherever it is: some are the same for two builds."""
    folder = path.parent
    files = sorted(one for one in folder.rglob("*") if one.is_file())
    text = "\0".join(f"{one.relative_to(folder)} {one.read_bytes()!r}" for one in files)
    return text.replace(str(folder.parent), "")


def _several(directory: Path) -> Path:
    home = directory / "several"
    home.mkdir()
    texts = [site("shop", "shop.example", more=TLS), EVERYTHING, site("any", listen="[::1]:9000"), MINE]
    plans = [planned(text, home) for text in texts]
    some = [fragment_of(made) for made in plans]
    beside = [
        replace(file, path=f"sites/{part.bindings.name}/{file.path}")
        for made, part in zip(plans, some, strict=True)
        for file in by_themselves(made)
    ]
    return _written(host_plan(some, GATEWAY), home, beside)


def _written(made: Plan, home: Path, beside: Iterable[File] = ()) -> Path:
    conf = home / "conf"
    conf.mkdir()
    write_files([*made.files, *by_themselves(made), *beside], conf)
    return conf / "nginx.conf"


def by_themselves(made: Plan) -> Iterator[File]:
    """Those that a running site writes."""
    if made.tls:
        yield hsts_file(made.tls, 300)
    if made.upstream:
        yield made.upstream.file()
