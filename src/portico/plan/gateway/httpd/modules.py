"""The modules that a configuration needs: those that its directives belong to, and no other."""

from __future__ import annotations

from collections.abc import Iterable

from portico.errors import Problem
from portico.place.model import Build
from portico.plan.gateway.httpd.syntax import Directive, directive

ALWAYS = (
    "mpm_event", "authz_core", "alias", "dir", "mime", "filter", "headers",
    # The id must be there before mod_setenvif reads it: both run at the same moment, in the order of these lines.
    "unique_id", "setenvif", "rewrite", "reqtimeout", "include", "asis", "proxy", "slotmem_shm", "proxy_balancer",
    "lbmethod_byrequests",
)  # fmt: skip
ORDER = (
    *ALWAYS,
    "proxy_uwsgi", "proxy_http", "proxy_fcgi", "lbmethod_bybusyness", "deflate", "brotli", "remoteip", "ssl",
    "socache_shmcb", "authn_core", "authn_file", "authz_user", "auth_basic", "env", "security2", "ratelimit", "http2",
)  # fmt: skip
"""Every module that Portico may load."""
_WHY = {
    "mpm_event": "one thread waits for all idle connections; processes and threads share the requests",
    "authz_core": "who may read a folder",
    "alias": "folders outside of a document root",
    "dir": "the page of a folder",
    "mime": "content types by file name",
    "filter": "which answers are compressed, by their type",
    "headers": "headers of requests and answers",
    "unique_id": "the id of each request",
    "setenvif": "what is known of a request, for the rules, the app and the log line",
    "rewrite": "which path is answered by what",
    "reqtimeout": "clients that send too slowly are closed",
    "include": "the id of the request in an error page",
    "proxy": "passes requests on",
    "slotmem_shm": "the shared memory of the balancer",
    "proxy_balancer": "several paths to the app: a failed connection is tried again at another",
    "lbmethod_byrequests": "each path gets its share",
    "lbmethod_bybusyness": "the server with the fewest requests in progress gets the next",
    "proxy_uwsgi": "the uwsgi protocol, which Portico's worker and uWSGI speak",
    "proxy_fcgi": "FastCGI to servers elsewhere",
    "proxy_http": "HTTP to an ASGI app, and to servers elsewhere",
    "ssl": "HTTPS",
    "socache_shmcb": "the cache of TLS sessions, in shared memory",
    "http2": "HTTP/2",
    "asis": "pages with a status of their own",
    "deflate": "gzip",
    "brotli": "brotli",
    "authn_core": "which kind of password is asked for",
    "authn_file": "users in a file",
    "authz_user": "which users have access",
    "auth_basic": "asks browsers for a name and a password",
    "env": "what the log line says after a right password",
    "ratelimit": "the bandwidth of answers",
    "security2": "the firewall: ModSecurity",
    "remoteip": "the client's address from a declared proxy",
}


def load_modules(build: Build, names: Iterable[str]) -> list[Directive]:
    """One line for each module that is not compiled in."""
    return [
        directive("LoadModule", f"{name}_module", build.loadable[name], why=_WHY.get(name, ""), cause=build.path)
        for name in names
        if name not in build.modules
    ]  # fmt: skip


def module_of(protocol: str) -> str:
    """The module that passes requests on by a protocol."""
    return {"uwsgi": "proxy_uwsgi", "fastcgi": "proxy_fcgi"}.get(protocol, "proxy_http")


def has(build: Build, name: str) -> bool:
    """Whether the build has the module, compiled in or as a file."""
    return name in build.modules or name in build.loadable


def lacking(build: Build, names: Iterable[str], what: str, cause: str) -> list[Problem]:
    """A problem for what needs modules that the build lacks."""
    missing = [f"mod_{name}" for name in names if not has(build, name)]
    if not missing:
        return []
    said = f"{what} needs {', '.join(missing)}, which {build.path} has not"
    return [Problem(cause, said, "Debian's has them: apt install apache2-bin")]
