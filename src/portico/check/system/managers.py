"""Other programs that care for the same ports, names and settings: certbot, servers that start at boot, their files."""

from __future__ import annotations

import configparser
import re
import shlex
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from portico.check.model import Finding, Setting, warning
from portico.place.untrusted import content
from portico.plan.model import Plan
from portico.site.facts import AppFacts
from portico.site.model import Site

_SERVERS = ("nginx", "apache2", "httpd", "caddy", "lighttpd", "haproxy", "traefik", "openresty")
_WEB_PORTS = (80, 443)
_MOST, _MOST_UNITS = 50, 300
_PLUGINS = {"nginx": "its nginx plugin", "apache": "its Apache plugin", "standalone": "a server of its own"}
_LONGEST = 1 << 16
_OPTION = re.compile(r'[\w.]+ = (?:\d+|"[^"]*")')
_NOTHING_TO_SAY = "is Portico's part"
"""So ends the note about a file of which nothing has to be said again."""
_SIZES = re.compile(r'workers\.(?:count|threads|max_requests) = \d{1,6}|request_timeout = "\d{1,6}s"')
"""What `--fix` may write of these: the app's own process says what is in the file, and it may be broken into."""
_UWSGI = {
    "processes": "workers.count = {}", "workers": "workers.count = {}", "threads": "workers.threads = {}",
    "harakiri": 'request_timeout = "{}s"', "max-requests": "workers.max_requests = {}",
}  # fmt: skip
_GUNICORN = {
    "-w": "workers.count = {}", "--workers": "workers.count = {}", "--threads": "workers.threads = {}",
    "-t": 'request_timeout = "{}s"', "--timeout": 'request_timeout = "{}s"',
    "--max-requests": "workers.max_requests = {}",
}  # fmt: skip


def manager_findings(site: Site, planned: Plan, etc: Path) -> Iterator[Finding]:
    """`etc`: the machine's configuration."""
    yield from _units(site, planned, etc)
    ports = {address.port for address in (site.listen, *((site.https_listen,) if site.has_https else ()))}
    if ports & set(_WEB_PORTS):
        yield from _at_boot(etc)
        yield from _certbot(site, etc)
    yield from unread_findings(site.facts, Path(site.directory), site.causes)


def _at_boot(etc: Path) -> Iterator[Finding]:
    wants = sorted(etc.glob("systemd/system/*.wants/*.service"))
    for name in [one for one in _SERVERS if any(path.name == f"{one}.service" for path in wants)]:
        what = f"{name}.service starts at boot, too: which of the two gets port 80 or 443 then is chance"
        yield warning(f"{name}.service", what, f"systemctl disable --now {name}", "boot-conflict")


def _units(site: Site, planned: Plan, etc: Path) -> Iterator[Finding]:
    """Services of this site that were written when it had other timeouts."""
    need = planned.ladder.service_seconds
    for path in sorted(etc.glob("systemd/system/*.service"))[:_MOST_UNITS]:
        try:
            text = content(path, _LONGEST).decode(errors="replace")
        except OSError:
            continue  # a link: a service of a package, or none
        found = re.search(r"(?m)^TimeoutStopSec=(\d+)s?$", text)
        is_ours = re.search(r"(?m)^ExecStart=.*\bportico\b.*\brun\b", text)
        is_here = f"WorkingDirectory={site.directory}\n" in text or f" {site.directory}" in text
        if found and is_ours and is_here and int(found[1]) < need:
            what = (
                f"systemd ends Portico after {found[1]} s (TimeoutStopSec), and the site's timeouts need {need:g} s: "
                "requests in progress are cut"
            )
            yield warning(str(path), what, "write it anew: portico export systemd", "unit-age")


def _certbot(site: Site, etc: Path) -> Iterator[Finding]:
    for path in sorted(etc.glob("letsencrypt/renewal/*.conf"))[:_MOST]:
        said = _renewal(path)
        way = next((said[key] for key in ("installer", "authenticator") if said.get(key) in _PLUGINS), "")
        is_used = site.https_files.get("cert", "").startswith(f"{etc}/letsencrypt/live/{path.stem}/")
        if way and (is_used or path.stem in site.options.domains):
            what = (
                f"certbot renews {path.stem} by {_PLUGINS[way]}, which needs the ports that the site holds: "
                "the certificate is not renewed"
            )
            hint = (
                'let Portico fetch it: email = "you@...", without [https] cert and key; then '
                f"certbot delete --cert-name {path.stem}"
            )
            yield warning(str(path), what, hint, "certbot")


def _renewal(path: Path) -> Mapping[str, str]:
    try:
        text = content(path.resolve(), _LONGEST).decode(errors="replace")
    except OSError:
        return {}
    return dict(re.findall(r"(?m)^\s*(authenticator|installer)\s*=\s*(\w+)\s*$", text))


def unread_findings(facts: AppFacts, directory: Path, said: Collection[str]) -> Iterator[Finding]:
    """Files that set up another server for this app, with what to say in portico.toml instead.

    `said` are the options that portico.toml or a flag decides: nothing more is to be said of these.
    """
    for note in facts.notes:
        if re.match(r"[\w/.-]*gunicorn[\w.-]*\.py is not used", note) and not note.endswith(_NOTHING_TO_SAY):
            options = _OPTION.findall(note)
            if unsaid := _unsaid(options, said):
                yield _unread(note.partition(" ")[0], note, unsaid)
            elif not options:
                yield _unread(note.partition(" ")[0], note, [])
    for name in ("uwsgi.ini", "Procfile"):
        try:
            text = content(directory / name, _LONGEST).decode(errors="replace")
        except OSError:
            continue
        if options := _unsaid(_uwsgi(text) if name == "uwsgi.ini" else _procfile(text), said):
            yield _unread(name, f"{name} is not used: what it says counts for another server", options)


def _unsaid(options: list[str], said: Collection[str]) -> list[str]:
    return [one for one in options if one.partition(" = ")[0] not in said]


def _unread(name: str, what: str, options: list[str]) -> Finding:
    hint = (
        f"in portico.toml: {', '.join(options)}" if options else "remove it, or say the same in portico.toml"
    )
    pairs = [one.partition(" = ") for one in options if _SIZES.fullmatch(one)]
    fixes = [Setting(tuple(key.split(".")), value) for key, _, value in pairs]
    return warning(name, what, hint, "unread-settings", fixes)


def _uwsgi(text: str) -> list[str]:
    parser = configparser.ConfigParser(
        strict=False, interpolation=None, delimiters=("=",), allow_no_value=True
    )
    try:
        parser.read_string(text)
        said = dict(parser.items("uwsgi"))
    except configparser.Error:
        return []
    return [form.format(said[key]) for key, form in _UWSGI.items() if (said.get(key) or "").isdigit()]


def _procfile(text: str) -> list[str]:
    found = re.search(r"(?m)^web:\s*(.*\bgunicorn\b.*)$", text)
    try:
        words = shlex.split(found[1]) if found else []
    except ValueError:
        return []
    pairs = [
        word.partition("=")[::2] if "=" in word else (word, after)
        for word, after in zip(words, [*words[1:], ""], strict=False)
    ]
    return [_GUNICORN[name].format(value) for name, value in pairs if name in _GUNICORN and value.isdigit()]
