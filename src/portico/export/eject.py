"""A site as files that run without Portico: the gateway's configuration, the app server's, units, and how to start.

Pure. WSGI apps run on uWSGI: over its protocol the app server builds the environ from what nginx says, so the client's
address, scheme and host need no header that an app would have to believe.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from portico.app_servers.kind import Feature
from portico.app_servers.kinds import NAMES
from portico.app_servers.uwsgi import UWSGI
from portico.errors import Problem, UsageError
from portico.export import eject_texts as texts
from portico.export.systemd import RESERVED_PORTS, command_word, plain, quote
from portico.place.model import Place
from portico.plan.app_servers.chosen import app_server
from portico.plan.app_servers.uwsgi import is_writable, plain_ini
from portico.plan.app_servers.workers import capacity
from portico.plan.build import plan
from portico.plan.decide import decided
from portico.plan.files import Directory, File, Line
from portico.plan.gateway.kind import Alone
from portico.plan.gateway.kinds import gateway_of
from portico.plan.model import Plan
from portico.plan.paths import Paths, live_flag
from portico.plan.subjects import Tls
from portico.plan.web.model import Web
from portico.site.model import Site
from portico.site.options.guard import Guard
from portico.site.options.observers import Dashboard, Metrics

HSTS_SECONDS = 300
"""The first step of Portico's own ladder: somebody raises it by hand."""
_ASSUMED = dict.fromkeys(NAMES, "installed")
"""It is installed where the files run."""
_UWSGI = "import sys, pyuwsgi; pyuwsgi.run(sys.argv[1:])"
"""The package has no __main__."""


class Ejected(Struct, frozen=True):
    """The files, by their path below the directory; `programs` are those to make executable."""

    files: tuple[File, ...]
    programs: frozenset[str]


def ejected(site: Site, place: Place, directory: str) -> Ejected:
    """The files for that absolute directory. Raises UsageError for a site that nothing but Portico can run."""
    kind = gateway_of(place)
    if kind.alone is None:
        raise UsageError(Problem("export", f"{kind.name} has no files that run without Portico"))
    if Feature.ASGI in app_server(site).features:
        what = "the app is an ASGI app; the files are for uWSGI, which runs WSGI apps"
        raise UsageError(
            Problem(
                "export", what, "start it with the ASGI server of your choice, and say [upstream] servers"
            )
        )
    for path in (directory, site.facts.directory) if site.has_app else ():
        if not is_writable(path):
            raise UsageError(
                Problem("export", f"uwsgi.ini cannot hold the path {path!r}", "rename the directory")
            )
    there = replace(place, runtime=directory, state=f"{directory}/state", real_state="", app_servers=_ASSUMED)
    alone = _alone(site)
    made = plan(alone, there)
    web = _with_one_socket(decided(alone, there))
    files = [replace(file, path=f"conf/{file.path}") for file in kind.alone.files(web)]
    if made.tls:
        hsts = kind.hsts(made.tls, HSTS_SECONDS if web.tls and web.tls.tells_hsts else 0)
        files += [replace(hsts, path=f"conf/{hsts.path}"), _certificate(made)]
    if site.has_app:
        size = capacity(alone, there)
        ini = plain_ini(alone, there, size, made.socket)
        files += [replace(ini, path=f"conf/{ini.path}"), _app_unit(made, there, directory)]
    files += [
        _start(made, site),
        _gateway_unit(made, there, directory, kind.alone),
        _rotation(made, there),
    ]
    files.append(_readme(site, made, files))
    filled = _Filling(made, directory, kind.alone)
    return Ejected(tuple(map(filled.file, files)), frozenset({"start", "certificate"}))


class _Filling(Struct, frozen=True):
    """Fills in what each text has of the gateway and the directory."""

    made: Plan
    directory: str
    alone: Alone

    def file(self, one: File) -> File:
        if one.path.startswith("conf/"):
            return one
        binary, *arguments = self.made.gateway.at(f"{self.directory}/conf")
        values = {
            "@gateway@": self.made.gateway.name,
            "@directory@": self.directory,
            "@binary@": shlex.quote(binary),
            "@arguments@": shlex.join(arguments),
            "@test@": shlex.join([binary, *arguments, *self.alone.only_test]),
            "@pid@": self.alone.pid,
            "@live@": shlex.quote(live_flag(self.directory)),
            "@stop@": self.alone.stop,
            "@reload@": self.alone.reload,
            "@reopen@": self.alone.reopen,
        }
        lines = tuple(Line(_filled(line.text, values)) for line in one.lines)
        return replace(one, path=_filled(one.path, values), lines=lines)


def _filled(text: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(name, value)
    return text


def _alone(site: Site) -> Site:
    """The site without what only Portico's own processes do."""
    options, plain_guard = site.options, Guard()
    return replace(
        site,
        options=replace(
            options,
            workers=replace(options.workers, server=UWSGI.name, queue=None),
            guard=replace(options.guard, challenge=plain_guard.challenge, ban=plain_guard.ban),
            metrics=Metrics(),
            dashboard=Dashboard(),
        ),
    )


def _with_one_socket(web: Web) -> Web:
    """One socket for the app: shares of a canary are Portico's."""
    if web.upstream.is_shared:
        return web
    return replace(web, upstream=replace(web.upstream, targets=web.upstream.targets[:1]))


def lost(site: Site) -> Iterator[str]:
    """What the files do not do, a sentence each."""
    yield "New code: restart the app. Requests that arrive meanwhile get 502; with Portico none does."
    yield "A request is not tried on another worker when its worker dies: it gets 502."
    yield "A streamed answer whose worker dies looks complete to the client."
    if site.options.gateway == "nginx":
        yield "nginx collects events (`text/event-stream`): the app must send `X-Accel-Buffering: no` with them."
    yield "Static files have no precompressed copies: the gateway compresses them while it sends them."
    yield "No metrics, dashboard, `trace`, `top` or notices; the log lines are the same, without the worker's numbers."
    yield "No WebSockets: uWSGI has none for an app that speaks them by Portico's worker."
    if names := str(site.environment.values):
        yield f"The app's variables are not set: start it with {names} in the environment."
    if site.options.release.before or site.options.release.after:
        yield "The commands of `[release]` are not run."
    if site.options.processes:
        yield f"Background processes are not started (`processes`): {', '.join(site.options.processes)}."
    if site.has_https:
        yield "Certificates are renewed by certbot, and HSTS stays at five minutes until you change conf/hsts.conf."
    if site.options.guard.challenge != Guard().challenge:
        yield "No client is asked for a pass (`guard.challenge`)."
    if site.options.guard.ban != Guard().ban:
        yield "Nobody is banned (`guard.ban`)."
    if site.crawler_networks or site.options.crawlers.dns:
        yield "Names of crawlers are not verified by DNS (`crawlers.dns`)."
    if site.servers:
        yield "Servers of the upstream are not checked: the gateway leaves one alone after failed requests."


def _script(text: str) -> tuple[Line, ...]:
    return tuple(map(Line, text.removesuffix("\n").split("\n")))


def _start(made: Plan, site: Site) -> File:
    app = f'"$python" -c {shlex.quote(_UWSGI)} --ini conf/uwsgi.ini &\npids=$!' if site.has_app else "pids="
    values = {
        "@makes@": "\n".join(map(_makes, made.directories)),
        "@app@": app,
        "@socket@": shlex.quote(made.socket if site.has_app else ""),
        "@certificate@": _first_certificate(made),
        "@patience@": str(math.ceil(made.ladder.stop_seconds)),
    }
    return File("start", _script(_filled(texts.START, values)), mode=0o755)


def _makes(one: Directory) -> str:
    """The command that makes a directory for those who use it."""
    words = ["install", "-d", "-m", f"{one.mode:o}"]
    words += ["-o", one.owner] if one.owner else []
    words += ["-g", one.group] if one.group else []
    return shlex.join([*words, one.path])


def _first_certificate(made: Plan) -> str:
    if made.tls is None:
        return ""
    files = [shlex.quote(path) for path in (made.tls.cert, made.tls.key) if path]
    return " ".join(["./certificate", *(files or ["--if-missing"])])


def _certificate(made: Plan) -> File:
    names = made.tls.names if made.tls else ()
    values = {"@file@": Tls.CERTIFICATE, "@name@": shlex.quote(names[0] if names else "localhost")}
    return File("certificate", _script(_filled(texts.CERTIFICATE, values)), mode=0o755)


def _folders(place: Place, directory: str) -> str:
    """Makes the folders with the rights that they need."""
    return f"{'+' if place.is_root else ''}{command_word(f'{directory}/start')} --prepare"


def _app_unit(made: Plan, place: Place, directory: str) -> File:
    python = command_word(f"{directory}/venv/bin/python")
    user = place.app_user or place.user
    return _unit(f"{made.name}-app.service", [
        ("Unit", [("Description", f"{plain(made.name)}: the app", "the first words of systemctl status"),
                  ("Before", f"{made.name}-@gateway@.service", "@gateway@ answers 502 until the app is there")]),
        ("Service", [
            ("ExecStartPre", _folders(place, directory), "folders for sockets and logs"),
            ("ExecStart", f"{python} -c {command_word(_UWSGI)} --ini {command_word(f'{directory}/conf/uwsgi.ini')}",
             "the Python of a virtual environment beside these files: pip install pyuwsgi and your packages"),
            ("ExecStartPost", "touch @live@", "the app is live: @gateway@ passes requests on"),
            ("ExecStopPost", "rm -f @live@", "and no longer"),
            ("WorkingDirectory", plain(directory), "where these files are"),
            *([("User", user, "not root")] if user != "root" and not place.app_user else []),
            ("KillMode", "mixed", "only the first process gets the signal"),
            ("KillSignal", "SIGTERM", "requests in hand are finished"),
            ("TimeoutStopSec", f"{made.ladder.service_seconds:g}s", "and then it is ended"),
            ("Restart", "on-failure", "a crash is not the end"),
        ]),
        ("Install", [("WantedBy", "multi-user.target", "systemctl enable starts it at every boot")]),
    ])  # fmt: skip


def _gateway_unit(made: Plan, place: Place, directory: str, alone: Alone) -> File:
    low = any(address.port < RESERVED_PORTS for address in made.listens)
    argv = " ".join(map(command_word, made.gateway.at(f"{directory}/conf")))
    tests = " ".join([argv, *alone.only_test])
    needs_right = low and not place.is_root
    return _unit(f"{made.name}-@gateway@.service", [
        ("Unit", [("Description", f"{plain(made.name)}: @gateway@", "the first words of systemctl status"),
                  ("After", "network.target", "addresses can be bound")]),
        ("Service", [
            ("ExecStartPre", _folders(place, directory), "folders for sockets and logs"),
            ("ExecStartPre", tests, "a wrong file is refused before the old one is gone"),
            ("ExecStart", argv, "in the foreground"),
            ("ExecReload", "kill -@reload@ $MAINPID", "systemctl reload reads the files again and drops no connection"),
            ("KillMode", "mixed", "only the master gets the signal"),
            ("KillSignal", "SIG@stop@", "requests in hand are finished"),
            ("TimeoutStopSec", f"{made.ladder.service_seconds:g}s", "and then it is ended"),
            *([] if place.is_root else [("User", place.user, "not root")]),
            *([("AmbientCapabilities", "CAP_NET_BIND_SERVICE", "a port below 1024")] if needs_right else []),
            ("Restart", "on-failure", "a crash is not the end"),
        ]),
        ("Install", [("WantedBy", "multi-user.target", "systemctl enable starts it at every boot")]),
    ])  # fmt: skip


def _unit(name: str, sections: list[tuple[str, list[tuple[str, str, str]]]]) -> File:
    made = list[Line]()
    for title, settings in sections:
        made += [*([Line("")] if made else []), Line(f"[{title}]")]
        made += [Line(text) for key, value, why in settings for text in (f"# {why}", f"{key}={value}")]
    return File(name, tuple(made))


def _rotation(made: Plan, place: Place) -> File:
    logs = quote(f"{Paths.of(place).state}/*.log")
    return File("logrotate.conf", _script(f"""\
# For /etc/logrotate.d/{made.name}: the logs of two weeks.
{logs} {{
    daily
    rotate 14
    missingok
    notifempty
    compress
    delaycompress
    # @gateway@ opens new files
    postrotate
        test ! -f @directory@/@pid@ || kill -@reopen@ "$(cat @directory@/@pid@)"
    endscript
}}
"""))  # fmt: skip


def _readme(site: Site, made: Plan, files: Sequence[File]) -> File:
    tls = made.tls
    statics = [f"* `{url}`: {folder}" for url, folder in made.statics.items()] or ["* none"]
    text = texts.README.replace("@https@", _about_https(tls)).replace(
        "@certificates@", texts.CERTIFICATES if tls else ""
    )
    values = {
        "@name@": made.name,
        "@urls@": ", ".join(made.urls),
        "@app@": site.facts.app,
        "@code@": site.facts.directory,
        "@statics@": "\n".join(statics),
        "@files@": _rows(files),
        "@names@": " ".join(f"-d {name}" for name in (tls.names if tls else ())),
        "@lost@": "\n".join(f"* {one}" for one in lost(site)),
        "@challenges@": _challenges(tls),
        "@cert@": tls.cert if tls else "",
        "@key@": tls.key if tls else "",
    }
    return File("README.md", _script(_filled(text, values)))


def _rows(files: Sequence[File]) -> str:
    """Each file of the gateway and the app server, by its own first line."""
    own = [file for file in files if file.path.startswith("conf/") and file.path.count("/") == 1]
    own = [file for file in own if file.lines and file.lines[0].text.startswith("# ")]
    return "\n".join(f"| `{file.path}` | {file.lines[0].text[2:]} |" for file in own)


def _challenges(tls: Tls | None) -> str:
    return tls.acme.challenges if tls and tls.acme else ""


def _about_https(tls: Tls | None) -> str:
    if tls is None:
        return ""
    return {"auto": texts.CERTBOT, "files": texts.OWN_FILES}.get(tls.mode, texts.SELF_SIGNED)
