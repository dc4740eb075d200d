"""Deployments that are broken in one way each: `check` names it first, and never of the one beside it that is well."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from portico.check.model import Finding
from portico.check.system.around import Kernel
from tests.check.deployments import WELL, Fault, checked
from tests.support import private_directory

HTTPS = '\n[https]\nmode = "local"\n'
_LISTENERS = list[socket.socket]()


def taken(site: Path) -> None:
    """Somebody else listens where the site is to listen."""
    port = re.findall(r"127\.0\.0\.1:(\d+)", (site / "portico.toml").read_text())[0]
    _LISTENERS.append(socket.create_server(("127.0.0.1", int(port))))


FAULTS = {
    "a key from a tutorial": Fault(
        "secret-key", "known from tutorials", "flask", 'app.config["SECRET_KEY"] = "change" + "me"'
    ),
    "a key that is made anew": Fault(
        "random-key", "every worker and every restart has another", "flask",
        'app.config["SECRET_KEY"] = os.urandom(32)',
    ),
    "a session without a key": Fault(
        "no-key", "app.py:8 uses the session", "flask", 'app.config["SECRET_KEY"] = None'
    ),
    "debug mode": Fault("debugger", "DEBUG is on", "django", "own.update(DEBUG=True)"),
    "an error page with the source": Fault(
        "debugger", "error pages show the source", "flask",
        "from werkzeug.debug import DebuggedApplication as Wrapped\napp.wsgi_app = Wrapped(app.wsgi_app, evalex=False)",
    ),
    "a domain that Django refuses": Fault(
        "hosts", "has not: the app answers each request for it with 400", "django",
        'own.update(ALLOWED_HOSTS=["shop.test"])',
    ),
    "no host at all": Fault("hosts", "ALLOWED_HOSTS is empty", "django", "own.update(ALLOWED_HOSTS=[])"),
    "a domain that Starlette refuses": Fault(
        "hosts", "domains has www.shop.example, and TrustedHostMiddleware has not", "starlette",
        without=('domains = ["shop.example"]\n',), toml='domains = ["shop.example", "www.shop.example"]',
    ),
    "a redirect to HTTPS that is not there": Fault(
        "https-redirect", "Flask-Talisman (force_https) redirects every request to https://", "flask",
        "from flask_talisman import Talisman\nTalisman(app)", without=(HTTPS,),
    ),
    "an endless redirect behind a proxy": Fault(
        "https-redirect", "SECURE_SSL_REDIRECT redirects to HTTPS, and the app is never told", "django",
        toml='behind = ["10.0.0.0/8"]\nbehind_headers = ["user"]', without=(HTTPS,),
    ),
    "the same in Starlette": Fault(
        "https-redirect", "HTTPSRedirectMiddleware redirects every request", "starlette", without=(HTTPS,)
    ),
    "a scheme that never comes": Fault(
        "scheme-value", "waits for 'on'", "django",
        'own.update(SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "on"))',
    ),
    "a scheme that clients say": Fault(
        "scheme-header", "which a client may send itself", "django",
        'own.update(SECURE_PROXY_SSL_HEADER=("HTTP_X_OFFLOADED", "1"))',
    ),
    "cookies without Secure": Fault(
        "cookies", "SESSION_COOKIE_SECURE is off", "django", "own.update(SESSION_COOKIE_SECURE=False)"
    ),
    "cookies that scripts read": Fault(
        "cookies", "httponly of the session factory is off", "pyramid", "said.update(httponly=False)"
    ),
    "cookies without HTTPS": Fault("cookie-lost", "no login holds", "pyramid", without=(HTTPS,)),
    "cookies that browsers refuse": Fault(
        "cookie-lost", 'same_site is "None" without https_only', "starlette",
        'layers["sessions"] = Middleware(SessionMiddleware, secret_key="' + "kX3vLq8ZpW5nRt7YcB2mHf9D"
        + '", same_site="none")',
    ),
    "cookies of another domain": Fault(
        "cookie-lost", "SESSION_COOKIE_DOMAIN is shop.test", "flask",
        'app.config["SESSION_COOKIE_DOMAIN"] = "shop.test"',
    ),
    "a cookie whose name browsers do not take": Fault(
        "cookie-lost", "__Host-shop is a name that browsers take with no Domain only", "django",
        'own.update(SESSION_COOKIE_NAME="__Host-shop", SESSION_COOKIE_DOMAIN="shop.example")',
    ),
    "a prefix that the site does not have": Fault(
        "prefix", "PrefixMiddleware says that the app is below '/app'", "pyramid",
        'from paste.deploy.config import PrefixMiddleware\nwrap = lambda app: PrefixMiddleware(app, prefix="/app")',
        toml='mount = "/shop"',
    ),
    "ProxyFix with the wrong count": Fault(
        "proxy-count", "ProxyFix(x_for=2) waits for 2 entries", "flask",
        "from werkzeug.middleware.proxy_fix import ProxyFix\napp.wsgi_app = ProxyFix(app.wsgi_app, x_for=2)",
    ),
    "an upload that the app refuses": Fault(
        "body-limits", "the app's MAX_CONTENT_LENGTH is 1MiB", "flask",
        'app.config["MAX_CONTENT_LENGTH"] = 1 << 20', toml='max_upload = "64MiB"',
    ),
    "a database that waits longer than nginx": Fault(
        "timeouts", 'DATABASES["default"] OPTIONS timeout is 1m', "django",
        'own.update(DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "/srv/shop.sqlite3",'
        ' "OPTIONS": {"timeout": 60}}})',
    ),
    "a pool that is smaller than the threads": Fault(
        "pool", "has 3 connections for the 8 threads", "flask",
        'import sqlalchemy\nengine = sqlalchemy.create_engine("sqlite:////srv/shop.db", pool_size=2, max_overflow=1)',
    ),
    "a pool that is smaller than the threads may get": Fault(
        "pool-bound", "has 15 connections, and a worker gets up to ", "flask",
        'import sqlalchemy\nengine = sqlalchemy.create_engine("sqlite:////srv/shop.db", pool_size=5)',
    ),
    "a client for each thread": Fault(
        "per-thread", "app.own (threading.local): each thread has a client", "flask",
        "import threading\nown = threading.local()",
    ),
    "a job in every worker": Fault(
        "jobs", "a timer was started at import", "flask",
        "import threading\nthreading.Timer(3600, lambda: 0).start()",
    ),
    "data in the memory of a worker": Fault(
        "app-memory", "seen is written by requests", "flask",
        'seen = {}\n@app.get("/count")\ndef count():\n    seen["n"] = 1\n    return ""',
    ),
    "a secret that everybody reads": Fault(
        "secret-mode", "any user of this machine can read DATABASE_PASSWORD", "flask",
        files={".env": "DEBUG=0\nDATABASE_PASSWORD=kX3vLq8Z\n"},
    ),
    "code that everybody writes": Fault(
        "code-mode", "can change what the app runs", "pyramid", also=lambda site: (site / "app.py").chmod(0o666)
    ),
    "a database that everybody downloads": Fault(
        "served-database", "anybody downloads it at /static/shop.db", "flask",
        'app.config["DATABASE"] = app.root_path + "/static/shop.db"', files={"static/shop.db": "SQLite format 3"},
    ),
    "a domain that leads elsewhere": Fault(
        "dns", "shop.portico.dev leads to 9.9.9.9 (A)", "flask", 'app.config["SESSION_COOKIE_DOMAIN"] = None',
        toml='domains = ["shop.portico.dev"]', without=('domains = ["shop.example"]\n',),
        around={"lookup": lambda names: {name: ["9.9.9.9"] for name in names}},
    ),
    "certbot that cannot renew": Fault(
        "certbot", "certbot renews shop.example by its nginx plugin", "flask", port=80,
        etc={"letsencrypt/renewal/shop.example.conf": "[renewalparams]\nauthenticator = nginx\ninstaller = nginx\n"},
    ),
    "a port that is taken": Fault("port", "is taken", "starlette", also=taken),
    "a certificate that is not there": Fault(
        "certificate", "cannot be read", "flask", without=(HTTPS,),
        tables='[https]\ncert = "cert.pem"\nkey = "key.pem"\n',
    ),
    "another server at boot": Fault(
        "boot-conflict", "nginx.service starts at boot, too", "flask", port=80,
        etc={"systemd/system/multi-user.target.wants/nginx.service": ""},
    ),
    "a service that ends too soon": Fault(
        "unit-age", "systemd ends Portico after 5 s", "flask",
        etc={"systemd/system/shop.service": "[Service]\nExecStart=/opt/portico/bin/portico run\nTimeoutStopSec=5s\n"
        "WorkingDirectory=%SITE%\n"},
    ),
    "a cgroup that is too small": Fault(
        "tasks", "pids.max allows 60 processes and threads", "flask",
        around={"kernel": Kernel(tasks_limit=60, tasks=20, tasks_source="pids.max")},
    ),
    "a full disk": Fault("disk", "1MiB are free", "flask", around={"free": lambda _: (1 << 20, 1 << 20)}),
    "a clock of long ago": Fault(
        "clock", "the clock says 1970-01-02", "flask", around={"kernel": Kernel(clock=86_400, made_at=1.9e9)}
    ),
    "a limit behind another": Fault(
        "limit-order", '"20/second" never refuses a request: "5/second" does so before', "flask",
        tables='[limits]\nrate = "5/second"\n[routes."/"]\nlimit = "20/second"\n',
    ),
    "an nginx that waits less than the worker": Fault(
        "own-limits", "uwsgi_read_timeout 10s ends a request, and", "flask",
        tables='[nginx]\nserver = ["uwsgi_read_timeout 10s;"]\n',
    ),
    "an own block that believes the client": Fault(
        "own-directives", "X-Forwarded-For", "flask",
        tables="[nginx]\nserver = ['location /old { proxy_pass http://127.0.0.1:9; proxy_set_header X-Forwarded-For "
        "$proxy_add_x_forwarded_for; }']\n",
    ),
    "settings of another server": Fault(
        "unread-settings", "uwsgi.ini is not used", "django", files={"uwsgi.ini": "[uwsgi]\nharakiri = 120\n"}
    ),
}  # fmt: skip


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in ("PORTICO_RUNTIME_DIR", "PORTICO_STATE_DIR"):
        monkeypatch.setenv(name, "")
    with private_directory() as directory:
        yield directory
    while _LISTENERS:
        _LISTENERS.pop().close()


@cache
def well(kind: str) -> tuple[Finding, ...]:
    with private_directory() as directory:
        return tuple(checked(directory, kind))


@pytest.mark.parametrize("name", FAULTS)
def test_it_is_the_first_finding(home: Path, name: str) -> None:
    fault = FAULTS[name]
    found = checked(home, fault.kind, fault)
    assert (found[0].code, found[0].level != "ok") == (fault.code, True), found[:3]
    assert fault.words in found[0].what, found[0]
    assert found[0].hint, found[0]
    assert not [one for one in well(fault.kind) if one.code == fault.code and one.level != "ok"]


@pytest.mark.parametrize("kind", WELL)
def test_a_deployment_that_is_well_has_no_finding(home: Path, kind: str) -> None:
    assert [one for one in well(kind) if one.level != "ok"] == []
