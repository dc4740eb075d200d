"""httpd.conf from its top: the processes, what is the same for every request, and the virtual hosts."""

from __future__ import annotations

from portico.place.model import Place
from portico.plan import decisions
from portico.plan.files import File, Line
from portico.plan.gateway.httpd.app.link import chooses, dollar
from portico.plan.gateway.httpd.app.room import threads
from portico.plan.gateway.httpd.app.upstream import balancers, method_modules
from portico.plan.gateway.httpd.entry import tls
from portico.plan.gateway.httpd.entry.bandwidth import bandwidth_modules
from portico.plan.gateway.httpd.entry.observer_endpoints import endpoint_servers, has_endpoints
from portico.plan.gateway.httpd.entry.transfer import client_times, heads
from portico.plan.gateway.httpd.entry.trust import real_ip
from portico.plan.gateway.httpd.files.compression import compression
from portico.plan.gateway.httpd.guards import guard_modules
from portico.plan.gateway.httpd.log import error_log, log_formats
from portico.plan.gateway.httpd.modules import ALWAYS, has, load_modules, module_of
from portico.plan.gateway.httpd.own import in_main
from portico.plan.gateway.httpd.routing.elsewhere import rule_balancers, targets
from portico.plan.gateway.httpd.routing.proof import proof_modules
from portico.plan.gateway.httpd.server import granted, servers
from portico.plan.gateway.httpd.syntax import Directive, directive, render, render_commented, section
from portico.plan.gateway.httpd.waf import waf_limits, waf_modules
from portico.plan.web.files.mime import TYPES
from portico.plan.web.model import Web
from portico.plan.web.processes import Processes
from portico.plan.web.sizes import old_workers

MAIN = "httpd.conf"
PID_FILE = "httpd.pid"
_TOTAL = 20_000
"""The most threads that httpd can be told (ThreadLimit and ServerLimit)."""


def httpd_conf(web: Web) -> File:
    """The whole configuration."""
    return File(MAIN, tuple(render(tree(web))), mode=0o600)


def plain_file(web: Web) -> File:
    """The same for people who run httpd without Portico, with the reasons as comments."""
    heading = Line("# httpd: its processes, limits and virtual hosts"), Line("")
    return File(MAIN, (*heading, *render_commented(tree(web))), mode=0o600)


def tree(web: Web) -> list[Directive]:
    """The configuration as a tree of directives with reasons."""
    return [
        *load_modules(web.place.gateway, modules(web)),
        *process(web.processes, web.place),
        *_listen(web),
        *basics(),
        *client_times(),
        *heads(),
        *types(),
        *compression(web.place.gateway),
        *(tls.shared(web.place, web.tls.profile, web.tls.profile_cause) if web.tls else []),
        *error_log(web.place, is_waiting=web.is_waiting, inspects=web.waf is not None),
        *(waf_limits(web.waf.cause) if web.waf else []),
        *real_ip(web),
        *log_formats(web.log, has_tls=web.tls is not None),
        *([] if web.upstream.is_nobody else balancers(web)),
        *rule_balancers(web),
        *([dollar()] if chooses(web) else []),
        *in_main(web),
        *granted(web),
        *servers(web),
        *endpoint_servers(web),
    ]


def modules(web: Web) -> list[str]:
    """The modules that a site needs, the first before those that need them."""
    build = web.place.gateway
    link = module_of(web.upstream.protocol)
    others = [module_of(one) for one in targets(web)] + (["proxy_http"] if has_endpoints(web) else [])
    return [
        *ALWAYS,
        link,
        *method_modules(web),
        *dict.fromkeys(one for one in others if one != link),
        *(name for name in ("deflate", "brotli") if has(build, name)),
        *(["remoteip"] if web.trust.proxies else []),
        *(["ssl", "socache_shmcb"] if web.tls else proof_modules(web)),
        *guard_modules(web),
        *waf_modules(web),
        *bandwidth_modules(web),
        *(["http2"] if tls.has_http2(web) else []),
    ]


def process(of: Processes, place: Place) -> list[Directive]:
    """httpd's own processes."""
    runtime = place.runtime
    each = threads(of.connections)
    slots = min(of.workers + old_workers(place).most, _TOTAL // each)
    made = [
        directive("DefaultRuntimeDir", runtime, why="private, so that two sites never meet"),
        directive("PidFile", f"{runtime}/{PID_FILE}", why="private, so that two sites never meet"),
    ]
    if of.user:
        why = "httpd's workers, which serve untrusted clients, are not root"
        made += [
            directive("User", of.user, why=why, cause=of.user_cause),
            directive("Group", of.group, why=why, cause=of.user_cause),
        ]
    whole, cause = of.workers * each, of.workers_cause
    return [
        *made,
        directive("StartServers", of.workers, why="one process a CPU that this machine really gives", cause=cause),
        directive("ThreadLimit", each, why="of a process, below"),
        directive("ThreadsPerChild", each, why="requests that a process works on at once; the event MPM waits for "
                  "idle connections with one thread more"),
        directive("ServerLimit", slots, why="after a reload, processes with the configuration before finish their "
                  "transfers; Portico bounds them", cause=decisions.TRANSFERS),
        directive("MaxRequestWorkers", whole, why="all processes, all threads", cause=cause),
        directive("MinSpareThreads", 1, why="no process is started for a peak: all are there from the start"),
        directive("MaxSpareThreads", whole, why="and none is ended because it is idle"),
        directive("MaxConnectionsPerChild", 0, why="a process stays as long as its configuration"),
    ]  # fmt: skip


def _listen(web: Web) -> list[Directive]:
    at, made = web.listeners, list[Directive]()
    why = "where clients connect"
    made += [directive("Listen", address, why=why, cause=at.plain_cause) for address in at.plain]
    made += [directive("Listen", address, "https", why=why, cause=at.tls_cause) for address in at.tls]
    why = "a burst of connections waits here instead of being refused"
    return [*made, directive("ListenBackLog", at.backlog, why=why)]


def basics() -> list[Directive]:
    """What is the same for every site."""
    return [
        directive("ServerName", "portico", why="what httpd calls itself where a client names no host"),
        directive("ServerTokens", "Prod", why="clients need not know the version"),
        directive("ServerSignature", "Off", why="nor do error pages"),
        directive("TraceEnable", "Off", why="TRACE would send a client's cookies back"),
        directive("HttpProtocolOptions", "Strict", "Require1.0", why="what is not valid HTTP is refused with 400"),
        directive("UseCanonicalName", "Off", why="the app sees the host that the client asked for"),
        directive("UseCanonicalPhysicalPort", "On", why="and the port that it connected to"),
        directive("FileETag", "MTime", "Size", why="a file's version: its time and length"),
        directive("EnableMMAP", "Off", why="a mapped file that becomes shorter while it is sent kills the process"),
        directive("ProxyRequests", "Off", why="no client may reach other servers through this one"),
        directive("ProxyVia", "Off", why="the app need not know which gateway this is"),
        section(
            "Directory", "/", why="nothing on this machine is served but what is named below",
            of=[
                directive("Options", "FollowSymLinks", why="links above a folder, such as /var/www, are the machine's"),
                directive("AllowOverride", "None", why="no .htaccess file decides anything"),
                directive("Require", "all", "denied", why="only named folders are read"),
            ],
        ),
    ]  # fmt: skip


_TEXT = frozenset({
    "text/html", "text/css", "text/javascript", "text/plain", "text/csv", "text/markdown", "text/xml", "image/svg+xml",
})  # fmt: skip


def types() -> list[Directive]:
    """Content types."""
    why = "content types by file name; the system's list is not read"
    return [
        directive("TypesConfig", "/dev/null", why=why),
        *(directive("AddType", kind, *(f".{suffix}" for suffix in names), why=why) for kind, *names in TYPES),
        directive(
            "AddCharset",
            "utf-8",
            *(f".{suffix}" for kind, *names in TYPES if kind in _TEXT for suffix in names),
            why="text is UTF-8",
        ),
    ]
